use ports::route::{Function, find};

/// The service binding of the function that serves a path.
pub(crate) fn binding_of(path: &str) -> Option<&'static str> {
    Some(match find(path)?.route.function {
        Function::Authorize => "AUTHORIZE",
        Function::Token => "TOKEN",
        Function::Revoke => "REVOKE",
        Function::Introspect => "INTROSPECT",
        Function::Sessions => "SESSIONS",
        Function::Mcp => "MCP",
        Function::Health => "HEALTH",
    })
}

#[cfg(test)]
mod tests {
    use ports::route::ROUTES;

    use super::*;

    #[test]
    fn every_route_has_a_binding_named_for_its_function() {
        for route in ROUTES {
            let path = route.path.replace("{id}", "x");
            let expected = route.function.name().to_uppercase();
            assert_eq!(binding_of(&path), Some(expected.as_str()), "{path}");
        }
        assert_eq!(binding_of("/elsewhere"), None);
    }
}
