//! The MCP server.

mod handler;

use handler::Mcp;

host::entrypoint!(Mcp);
