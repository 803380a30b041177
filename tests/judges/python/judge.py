"""The MCP SDK for Python and FastMCP, as programs use them. mcp-python.mjs runs this, with a browser."""

import asyncio
import logging
import os
import uuid
import warnings
import webbrowser
from urllib.parse import parse_qs, urlsplit

import httpx2
from fastmcp import Client as FastClient
from fastmcp.client.auth import OAuth
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

ISSUER = os.environ["JUDGE_ISSUER"]
MCP = f"{ISSUER}/mcp"
SCOPE = "atoms:workspace.read atoms:workspace.write"
passed = failed = 0


async def check(name, test):
    global passed, failed
    try:
        async with asyncio.timeout(30):
            await test()
    except BaseException as error:  # Groups of exceptions are none of Exception.
        failed += 1
        print(f"FAIL {name}: {told(error)}", flush=True)
    else:
        passed += 1
        print(f"ok   {name}", flush=True)


def told(error):
    inner = getattr(error, "exceptions", None)
    return told(inner[0]) if inner else f"{type(error).__name__}: {error}"


class Store:
    """Keeps what the SDK gives it to keep."""

    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Callback:
    """Listens on this machine for one answer."""

    async def __aenter__(self):
        self.answer = asyncio.get_running_loop().create_future()
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/callback"
        return self

    async def __aexit__(self, *_):
        self.server.close()

    async def serve(self, reader, writer):
        target = (await reader.readline()).split()[1].decode()
        while (await reader.readline()).strip():
            pass
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        if not self.answer.done():
            self.answer.set_result({name: values[0] for name, values in parse_qs(urlsplit(target).query).items()})

    async def result(self):
        answer = await self.answer
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))


async def use(client):
    name = str(uuid.uuid4())
    made = await client.call_tool("workspace", {"operation": "create_workspace", "name": name})
    listed = await client.call_tool("workspace", {"operation": "list_workspaces"})
    structured = getattr(listed, "structured_content", None)
    assert any(workspace["name"] == name for workspace in structured["workspaces"]), (made, listed)


async def with_sdk(provider, mode="auto"):
    async with httpx2.AsyncClient(auth=provider, timeout=20) as http:
        async with Client(streamable_http_client(MCP, http_client=http), mode=mode) as client:
            tools = await client.list_tools()
            assert [tool.name for tool in tools.tools] == ["workspace"]
            await use(client)


def provider(store, callback, **more):
    async def visit(url):
        webbrowser.open(url)

    metadata = OAuthClientMetadata(
        client_name="A program with the SDK for Python",
        redirect_uris=[callback.url],
        grant_types=["authorization_code", "refresh_token"],
        response_types=["code"],
        scope=SCOPE,
        **more,
    )
    return OAuthClientProvider(MCP, metadata, store, redirect_handler=visit, callback_handler=callback.result)


async def sdk(mode):
    async with Callback() as callback:
        await with_sdk(provider(Store(), callback, token_endpoint_auth_method="none"), mode)


async def sdk_refresh():
    store = Store()
    async with Callback() as callback:
        # Kept: a new one would ask for /token, as it keeps no metadata.
        auth = provider(store, callback, token_endpoint_auth_method="none")
        await with_sdk(auth)
        before, callback.answer = store.tokens, asyncio.get_running_loop().create_future()
        auth.context.token_expiry_time = 1.0
        await with_sdk(auth)
        assert not callback.answer.done(), "the person was asked again"
    assert store.tokens.refresh_token != before.refresh_token


async def sdk_secret():
    async with Callback() as callback:
        await with_sdk(provider(Store(), callback, token_endpoint_auth_method="client_secret_basic"))


async def sdk_service():
    service = ClientCredentialsOAuthProvider(
        MCP,
        Store(),
        client_id=os.environ["JUDGE_SERVICE"],
        client_secret=os.environ["JUDGE_SERVICE_SECRET"],
        scope=SCOPE,
        issuer=ISSUER,
    )
    async with httpx2.AsyncClient(auth=service, timeout=20) as http:
        async with Client(streamable_http_client(MCP, http_client=http)) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == ["workspace"]


async def fastmcp(auth):
    async with FastClient(MCP, auth=auth) as client:
        assert [tool.name for tool in await client.list_tools()] == ["workspace"]
        await use(client)


async def main():
    warnings.simplefilter("ignore")
    logging.disable()
    for mode in ("legacy", "auto"):
        await check(f"mcp, {mode}: from the 401 through registration, sign-in and consent to a tool call", lambda: sdk(mode))
    await check("mcp: an access token that is over is refreshed, without the person", sdk_refresh)
    await check("mcp: a client that registers for a secret", sdk_secret)
    await check("mcp: a service with client credentials", sdk_service)
    await check("fastmcp: all by itself", lambda: fastmcp("oauth"))
    await check("fastmcp: a client that was registered by us", lambda: fastmcp(OAuth(client_id="third-party", callback_host="127.0.0.1")))


asyncio.run(main())
print(f"{passed} passed, {failed} failed")
raise SystemExit(1 if failed else 0)
