use ports::route::find;

/// The service binding of the function that serves a path.
pub(crate) fn binding_of(path: &str) -> Option<&'static str> {
    Some(find(path)?.route.function.binding())
}

#[cfg(test)]
mod tests {
    use ports::route::{MAINTENANCE, ROUTES};

    use super::*;

    #[test]
    fn every_route_has_the_binding_of_its_function() {
        for route in ROUTES {
            let path = route.path.replace("{id}", "x");
            assert_eq!(binding_of(&path), Some(route.function.binding()), "{path}");
        }
        assert_eq!(binding_of("/elsewhere"), None);
    }

    #[test]
    fn the_owner_of_the_ledgers_is_reached_at_one_path() {
        assert_eq!(binding_of(MAINTENANCE), Some("LEDGERS"));
        let address = "/00000000000000000000000000000000";
        for path in [address, "/", "//", "/internal", "/internal/", "/internal/maintenance/"] {
            assert_eq!(binding_of(path), None, "{path}");
        }
        assert_eq!(binding_of(&format!("{MAINTENANCE}{address}")), None);
    }
}
