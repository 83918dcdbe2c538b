/// A piece of well-formed HTML. Text becomes one only by [`escape`], markup only by the functions below, so no text
/// can act as markup and every element is closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Html(String);

impl Html {
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Self(escape(text))
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(pieces: I) -> Self {
        Self(pieces.into_iter().map(|piece| piece.0).collect())
    }
}

impl<const N: usize> From<[Html; N]> for Html {
    fn from(pieces: [Html; N]) -> Self {
        pieces.into_iter().collect()
    }
}

/// An element with its closing tag. Names are ours; values of attributes and text in `content` are escaped.
pub(super) fn element(
    name: &'static str,
    attributes: &[(&'static str, &str)],
    content: impl Into<Html>,
) -> Html {
    let Html(content) = content.into();
    Html(format!("{}{content}</{name}>", opening(name, attributes)))
}

/// An element that has neither content nor closing tag, such as `meta`.
pub(super) fn void(name: &'static str, attributes: &[(&'static str, &str)]) -> Html {
    Html(opening(name, attributes))
}

/// A style sheet, which is not escaped; it must be ours.
pub(super) fn style(sheet: &'static str) -> Html {
    Html(format!("<style>\n{sheet}</style>"))
}

fn opening(name: &str, attributes: &[(&'static str, &str)]) -> String {
    let attributes: String =
        attributes.iter().map(|(name, value)| format!(" {name}=\"{}\"", escape(value))).collect();
    format!("<{name}{attributes}>")
}

/// Text as HTML shows it unchanged, within elements and within quoted attributes. Characters that HTML forbids
/// become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(c),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_inert_in_content_and_attributes() {
        let hostile = "</p><script>alert('x')</script>\" onload=\"y&\u{0}\r";
        let html = element("p", &[("title", hostile)], hostile).into_string();
        let safe = "&lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;y&amp;\u{fffd}\u{fffd}";
        assert_eq!(html, format!("<p title=\"{safe}\">{safe}</p>"));
    }

    #[test]
    fn elements_nest() {
        let list = element("ul", &[], ["a", "b"].map(|item| element("li", &[], item)));
        assert_eq!(list.into_string(), "<ul><li>a</li><li>b</li></ul>");
        assert_eq!(void("meta", &[("charset", "utf-8")]).into_string(), "<meta charset=\"utf-8\">");
    }
}
