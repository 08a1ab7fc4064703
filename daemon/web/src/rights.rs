//! Looks up addresses in the table of rights.

use super::rules::{RULES, Rule};
use http::Method;

/// The rule of an address.
pub(super) fn rule_of(method: &Method, path: &str) -> Option<&'static Rule> {
    let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
    RULES.iter().find(|rule| rule.path == path && rule.method == method)
}

/// The methods that an address answers, as `Allow` lists them.
pub(super) fn methods_of(path: &str) -> String {
    let methods = RULES.iter().filter(|rule| rule.path == path);
    let methods = methods.flat_map(|rule| {
        if rule.method == "GET" { &["GET", "HEAD"][..] } else { std::slice::from_ref(&rule.method) }
    });
    methods.copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_has_two_rules() {
        for (index, rule) in RULES.iter().enumerate() {
            let twin =
                RULES[..index].iter().find(|other| other.method == rule.method && other.path == rule.path);
            assert!(twin.is_none(), "{rule:?}");
        }
    }

    #[test]
    fn an_address_lists_its_methods() {
        assert_eq!(methods_of("/api/v1/me").split(", ").take(2).collect::<Vec<_>>(), ["GET", "HEAD"]);
        assert_eq!(methods_of("/api/v1/setup"), "POST");
    }
}
