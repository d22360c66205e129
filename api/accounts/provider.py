"""Who does a bureau's provider of identities say is calling? OpenID Connect, code flow.

With PKCE, state and nonce; an answer is taken only from the issuer, for this client, in
the very browser that asked. Who is known to the provider is not thereby known here:
nobody comes in who was not invited. Needs the extra ``oidc`` (Authlib).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from domain.kernel import Refused
from workers.settings import BadSettingError, Settings

SECONDS: Final = 10
ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
"""Signatures of the provider's own key; never ``none``, never one by a shared secret."""


class ProviderFailed(
    Refused, code="provider_failed", status=502, title="统一登录没有成功",
    detail="统一登录没有成功（{because}），请重试；仍不行请告知管理员。",
):
    """The provider is away, or said something that is not to be believed."""


class NotInvited(
    Refused, code="not_invited", status=403, title="没有您的账号",
    detail="统一登录认得您，但台账里没有与之相连的账号；请先由管理员邀请，并从邀请链接进入。",
):
    """Somebody whom the provider knows and nobody invited."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the provider: where the browser goes, and what its answer must match."""

    url: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider of identities, as the settings name it."""

    issuer: str
    client_id: str
    client_secret: str
    label: str

    def question(self, redirect_uri: str, state: str) -> Question:
        """Ask who is calling.

        :raises ProviderFailed: where the provider is away.
        """
        nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        session = self._session(redirect_uri)
        url, _state = session.create_authorization_url(
            self._metadata()["authorization_endpoint"], state=state, code_verifier=verifier,
            nonce=nonce,
        )
        return Question(str(url), nonce, verifier)

    def identity(self, redirect_uri: str, code: str, nonce: str, verifier: str) -> str:
        """Who is calling, by the provider's answer: its issuer and subject.

        :raises ProviderFailed: for an answer that is none, or not to be believed.
        """
        from authlib.common.errors import AuthlibBaseError  # noqa: PLC0415 - an extra
        from joserfc.errors import JoseError  # noqa: PLC0415
        from requests import RequestException  # noqa: PLC0415

        metadata = self._metadata()
        try:
            token = self._session(redirect_uri).fetch_token(
                metadata["token_endpoint"], code=code, code_verifier=verifier, timeout=SECONDS
            )
            return self._believed(metadata, token, nonce)
        except (AuthlibBaseError, JoseError, RequestException, ValueError, KeyError) as error:
            raise ProviderFailed(because=type(error).__name__) from error

    def _believed(self, metadata: dict[str, Any], token: dict[str, Any], nonce: str) -> str:
        """The identity that a signed token names, once all of it was checked."""
        from authlib.oidc.core import CodeIDToken  # noqa: PLC0415
        from joserfc import jwt  # noqa: PLC0415
        from joserfc.jwk import KeySet  # noqa: PLC0415

        published: Any = self._fetched(metadata["jwks_uri"])
        keys = KeySet.import_key_set(published)
        signed = jwt.decode(str(token["id_token"]), keys, algorithms=list(ALGORITHMS))
        claims = CodeIDToken(
            signed.claims, signed.header,
            options={
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self.client_id},
                "nonce": {"essential": True, "value": nonce},
            },
            params={
                "nonce": nonce, "client_id": self.client_id,
                "access_token": token.get("access_token"),
            },
        )
        claims.validate(leeway=60)
        return f"{self.issuer} {claims['sub']}"

    def _metadata(self) -> dict[str, Any]:
        """What the issuer says of itself; it must be the one that was set.

        :raises ProviderFailed: where it is away, or says it is another.
        """
        found = self._fetched(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise ProviderFailed(because="issuer")
        return found

    def _fetched(self, url: str) -> dict[str, Any]:
        import requests  # noqa: PLC0415 - an extra

        try:
            answer = requests.get(url, timeout=SECONDS)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except requests.RequestException as error:
            raise ProviderFailed(because=type(error).__name__) from error
        return found

    def _session(self, redirect_uri: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session  # noqa: PLC0415

        return OAuth2Session(
            self.client_id, self.client_secret, scope="openid", redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )


def provider_of(settings: Settings) -> Provider | None:
    """The provider of an installation, where one is set.

    :raises BadSettingError: where it is set and the extra is not installed.
    """
    if settings.oidc_issuer is None:
        return None
    try:
        import authlib.integrations.requests_client  # noqa: F401, PLC0415
    except ImportError as error:
        raise BadSettingError("TAIZHANG_OIDC_ISSUER：请先安装 taizhang[oidc]") from error
    return Provider(
        settings.oidc_issuer, settings.oidc_client_id, settings.oidc_client_secret,
        settings.oidc_label,
    )
