"""What do people read for a field of an event?

A name that means the same everywhere has its label once; where a class means something
else by it, or by a code that no mark explains, that stands below. A test asks for a
label of every field of every event and value.
"""

from __future__ import annotations

from typing import Any, Final

OCCURRED: Final = {
    "on": "发生日期", "at": "发生时刻", "until": "截止日期", "precision": "日期精度",
}
"""When it occurred, as an audit names it."""

FIELDS: Final = {
    "activity": "所属活动", "actor": "登记人", "address": "住址", "advice": "意见建议",
    "after": "更正后", "aggregation": "汇总方式", "aliases": "别名", "amount_fen": "金额",
    "approver": "审定人", "approximation": "精确程度", "assessed_on": "评估日期",
    "attendance": "参加人数", "audience": "对象", "award": "奖项", "basis": "转介依据",
    "because": "原因", "before": "更正前", "benefit": "政策", "cap_percent": "封顶百分比",
    "category": "救助类别", "city": "市", "code": "指标编号", "communities": "社区",
    "community": "社区", "contents": "服务内容", "covered": "保障人口",
    "covered_count": "保障人数", "cycle": "项目周期", "days": "天数", "direction": "目标方向",
    "district": "区", "divide_by": "除以", "entry": "所指条目", "fields": "更新内容",
    "file_number": "档案编号", "filter": "条件", "first_on": "周期首日",
    "from_community": "原社区", "from_on": "开始日期", "from_percent": "达到百分比",
    "funder": "购买方", "gives_percent": "得分百分比", "goals": "目标",
    "ground": "理由", "head": "评估部分", "records": "涉及的记录", "volunteer": "志愿者",
    "health": "健康状况", "host_office": "街道办", "household": "户",
    "households_served": "受益户数", "id_number": "身份证号", "indicator": "指标编号",
    "indicator_set": "指标集", "indicators": "指标", "introduction": "站点简介",
    "is_fact": "只列事实", "item": "计划编号", "kind": "类别", "label": "指标名称",
    "label_en": "英文名称", "last_on": "周期末日", "made_on": "转介日期", "measure": "计量",
    "member": "成员", "members": "家庭成员", "merged": "被合并的",
    "merged_household": "被合并的户", "merged_person": "被合并的人", "minus": "减去",
    "minutes": "时长", "mode": "方式",
    "name": "名称", "need": "需求", "need_assessed_on": "需求评估日期", "needs": "需求",
    "needs_assessment": "需求评估", "note": "备注", "number": "编号", "opened_on": "接案日期",
    "operator": "承接机构", "organiser": "主办方", "organisers": "主办方", "outcome": "结果",
    "over": "起算", "part_of": "其中", "participants": "参加人", "person": "人员",
    "persons": "见到的人", "persons_met": "见到人数", "persons_served": "受益人数",
    "persons_surveyed": "调研人数", "phone": "联系电话", "plan": "分月计划",
    "planned_on": "约定日期", "planned_sessions": "计划节数", "plus": "加",
    "previous_category": "原救助类别", "previous_community": "原社区",
    "previous_covered_count": "原保障人数", "prize_fen": "奖金", "problem": "主要问题",
    "programmes": "项目标签", "project": "所属项目", "project_cycle": "项目周期",
    "provider": "提供方", "purpose": "目的", "reason": "原因", "recorder": "记录人",
    "reinstated": "恢复的内容", "relation": "与户主关系", "remainder_of": "余数",
    "role": "承担角色", "scope": "同意范围", "scoring": "计分办法", "section": "月报部分",
    "service_on": "服务日期", "short_name": "简称", "skipping_because": "跳过阶段的原因",
    "source": "来源", "stage": "所处阶段", "stage_since": "阶段起始", "starts_at": "开始时间",
    "stated_in": "登记情形", "steps": "各档", "street": "街道", "summary": "小结",
    "surviving_household": "保留的户", "surviving_person": "保留的人", "survivor": "保留的",
    "survivor_household": "保留的人所在户",
    "supervisor": "督导", "target": "目标值", "team": "所属队伍", "text": "正文", "theme": "主题",
    "title": "标题", "to_agency": "转往机构", "to_month": "顺延至", "topics": "主题",
    "transferred": "随迁救助单元", "unit": "救助单元", "until_on": "结束日期", "urgency": "缓急",
    "valid_from": "生效日期", "valid_until": "失效日期", "value": "数值", "value_fen": "折合金额",
    "venue": "地点", "voided": "作废的内容", "weight": "分值", "without": "若干天内没有",
    "worker": "社工", "workers": "社工", "byte_count": "大小", "caption": "说明",
    "digest": "内容校验值", "file": "文件", "file_key": "文件密钥", "media_type": "文件类型",
    "record": "所属记录", "step": "所属条目",
}
"""By name, for every event and value that means the same by it."""

OF_CLASS: Final[dict[str, dict[str, str]]] = {
    "CompetitionEntered": {"entry": "参赛作品"},
    "Member": {"name": "姓名", "person": "人员编号"},
    "VolunteerRegistered": {"name": "姓名"},
    "TaskIndicator": {"unit": "单位"},
    "Indicator": {"unit": "单位"},
    "ServiceCertificateIssued": {"number": "证明编号"},
    "CaseIntaken": {"number": "个案编号"},
    "TemporaryAssistanceGranted": {"purpose": "用途"},
    "CommunityNeedsSurveyHeld": {"topics": "调研主题"},
    "VolunteerServiceRecorded": {"title": "服务内容"},
    "ReportPublished": {
        "snapshot": "快照", "acknowledged": "已确认的提示", "texts": "正文的哈希", "code": "快照码",
    },
    "ReportRestated": {
        "snapshot": "快照", "differences": "变动的数字", "restates": "所更正的快照码",
        "texts": "正文的哈希", "code": "快照码",
    },
    "Snapshot": {
        "station": "社工站", "period": "期间", "first_on": "首日", "last_on": "末日",
        "position": "台账位置", "summary": "概述", "imprint": "落款", "profile": "站点信息",
        "figures": "数字", "sections": "各节", "template": "模板的哈希", "checkpoint": "检查点",
        "format": "格式",
    },
    "EvaluationRun": {
        "as_of": "截至", "position": "台账位置", "indicator_version": "口径版本",
        "heads": "各考核维度", "code": "评分表的哈希", "known_at": "当时所知",
        "task_book": "任务书",
        "late": "补录条数", "signals": "可疑之处", "differing": "与统计不符的数字",
        "changed": "发布后有变动的报告",
    },
    "HeadScore": {"judged_weight": "由评审填写的分值", "points": "得分"},
    "TreeHead": {"size": "条数", "root": "根哈希"},
    "PublishedFigure": {
        "code": "指标编号", "label_en": "英文名称", "unit": "单位", "display": "印作",
        "unstated": "未填报项数", "part_of": "所属总数", "is_fact": "是否事实",
    },
    "PublishedSection": {"parts": "各部分"},
    "PublishedPart": {"facts": "事实", "narrative": "正文"},
    "RestatedFigure": {
        "code": "指标编号", "unit": "单位", "before": "原报告", "after": "现为",
        "records": "相关记录", "is_cut": "是否未列全",
    },
    "ChangedRecord": {
        "change": "变动", "position": "台账位置", "stream": "记录", "effective_on": "日期",
        "amount": "增减",
    },
}
"""Where a class means something else by a name."""

CODES: Final[dict[tuple[str, str], str]] = {
    ("", "category"): "assistance_categories",
    ("", "previous_category"): "assistance_categories",
    ("ResourceDelivered", "kind"): "resource_kinds",
    ("ReferralCompleted", "need"): "needs",
}
"""The code list of a field that a decision fills in; a stated one bears it as a mark."""


def field_label(struct: Any, name: str) -> str:
    """What people read for a field; a field that nobody labelled reads as its name."""
    for cls in struct.__mro__:
        if name in OF_CLASS.get(cls.__name__, ()):
            return OF_CLASS[cls.__name__][name]
    return FIELDS.get(name, name)


def derived_code_list(struct: Any, name: str) -> str | None:
    """The code list of a derived field, if it holds a code."""
    return CODES.get((struct.__name__, name)) or CODES.get(("", name))
