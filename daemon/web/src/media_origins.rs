//! Which other sites' scripts may read public media, where the owner has narrowed that (Fetch §3.3, CORS). Players on other pages
//! need it; what is for members is never allowed to another site (`media`).

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, VARY};
use http::{HeaderMap, HeaderValue, Response};

/// Takes the permission for everybody back, and gives it to the asking site if it is one of `allowed`.
pub(super) fn narrow<B>(allowed: &[String], asked: &HeaderMap, response: &mut Response<B>) {
    let headers = response.headers_mut();
    if allowed.iter().any(|origin| origin == "*") || !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    // The answer to another site is another one, also in a cache.
    headers.append(VARY, HeaderValue::from_name(ORIGIN));
    match asked.get(ORIGIN) {
        Some(origin) if allowed.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()) => {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        _ => drop(headers.remove(ACCESS_CONTROL_ALLOW_ORIGIN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_allowed_by_its_exact_origin() {
        let allowed = |list: &[&str], origin: Option<&'static str>, public: bool| {
            let list: Vec<String> = list.iter().map(|&origin| origin.to_owned()).collect();
            let asked = HeaderMap::from_iter(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
            let mut response = Response::new(());
            if public {
                response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            }
            narrow(&list, &asked, &mut response);
            let text = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            (text(ACCESS_CONTROL_ALLOW_ORIGIN), text(VARY))
        };
        let some = |text: &str| Some(text.to_owned());
        let (a, b) = ("https://a.example", "https://b.example");
        assert_eq!(allowed(&["*"], Some(b), true), (some("*"), None));
        assert_eq!(allowed(&[a], Some(a), true), (some(a), some("origin")));
        for other in [Some(b), Some("https://a.example.org"), Some("null"), None] {
            assert_eq!(allowed(&[a], other, true), (None, some("origin")), "{other:?}");
        }
        assert_eq!(allowed(&[], Some(a), true), (None, some("origin")));
        assert_eq!(allowed(&[a], Some(a), false), (None, None), "what is for members stays so");
    }
}
