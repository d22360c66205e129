"""How does the command line say in Chinese what click says by itself? Through click's gettext."""

from __future__ import annotations

from typing import Final

from click import core, decorators, exceptions, formatting, parser, types

MODULES: Final = (core, decorators, exceptions, formatting, parser, types)
CATALOGUE: Final = {
    "Usage:": "用法:",
    "Options": "选项",
    "Commands": "命令",
    "Positional arguments": "参数",
    "Show this message and exit.": "显示本帮助。",
    "Show the version and exit.": "显示版本。",
    "%(prog)s, version %(version)s": "%(prog)s %(version)s",
    "required": "必填",
    "default: {default}": "默认：{default}",
    "env var: {var}": "环境变量：{var}",
    "Aborted!": "已中止。",
    "Do you want to continue?": "要继续吗？",
    "Confirm the action without prompting.": "不再询问，直接执行。",
    "Error: {message}": "错误：{message}",
    "Try '{command} {option}' for help.": "用法见 {command} {option}",
    "Missing command.": "缺少命令。",
    "Missing argument": "缺少参数",
    "Missing option": "缺少选项",
    "Missing parameter": "缺少参数",
    "No such option {name!r}.": "没有选项 {name!r}。",
    "No such command {name!r}.": "没有命令 {name!r}。",
    "Did you mean {possibility}?": "是不是 {possibility}？",
    "(Did you mean one of: {possibilities}?)": "（是不是其中之一：{possibilities}？）",
    "Got unexpected extra argument ({args})": "多余的参数（{args}）",
    "Got unexpected extra arguments ({args})": "多余的参数（{args}）",
    "Option {name!r} requires an argument.": "选项 {name!r} 后面要有值。",
    "Option {name!r} requires {nargs} arguments.": "选项 {name!r} 后面要有 {nargs} 个值。",
    "Option {name!r} does not take a value.": "选项 {name!r} 不带值。",
    "Argument {name!r} takes {nargs} values.": "参数 {name!r} 要有 {nargs} 个值。",
    "Takes {nargs} values but 1 was given.": "要有 {nargs} 个值，只给了 1 个。",
    "Takes {nargs} values but {len} were given.": "要有 {nargs} 个值，给了 {len} 个。",
    "Invalid value: {message}": "值不正确：{message}",
    "Invalid value for {param_hint}: {message}": "{param_hint} 的值不正确：{message}",
    "Choose from:\n\t{choices}": "可选：\n\t{choices}",
    "{value!r} is not {choice}.": "{value!r} 不是 {choice}。",
    "{value!r} is not one of {choices}.": "{value!r} 不在其中：{choices}。",
    "{value!r} is not a valid {number_type}.": "{value!r} 不是数字（{number_type}）。",
    "{value} is not in the range {range}.": "{value} 不在范围 {range} 内。",
    "{value!r} does not match the format {format}.": "{value!r} 应写作 {format}。",
    "{value!r} does not match the formats {formats}.": "{value!r} 应写作其中之一：{formats}。",
    "file": "文件",
    "directory": "目录",
    "path": "路径",
    "{name} {filename!r} does not exist.": "{name} {filename!r} 不存在。",
    "{name} {filename!r} is a file.": "{name} {filename!r} 是文件。",
    "{name} {filename!r} is a directory.": "{name} {filename!r} 是目录。",
    "{name} {filename!r} is not readable.": "{name} {filename!r} 不可读。",
    "{name} {filename!r} is not writable.": "{name} {filename!r} 不可写。",
    "Could not open file {filename!r}: {message}": "打不开文件 {filename!r}：{message}",
    "unknown error": "原因不明",
}
"""What users of this program can meet; anything else stays as click says it."""


def install() -> None:
    """Give click's modules these texts, before a command is defined.

    They call ``gettext`` by the name under which they imported it. A catalogue file would
    be chosen by the locale of the machine; the program is Chinese on every machine.
    """
    for module in MODULES:
        for name, function in (("_", said), ("ngettext", counted)):
            if hasattr(module, name):
                setattr(module, name, function)


def said(text: str) -> str:
    """A text of click's, in Chinese."""
    return CATALOGUE.get(text, text)


def counted(one: str, several: str, count: int) -> str:
    """The same of a text that is another for one than for several."""
    return said(one if count == 1 else several)
