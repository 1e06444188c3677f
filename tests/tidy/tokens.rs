//! What is looked for in tokens: they are the same inside of macros and outside.

use std::iter::Peekable;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path as it is written, from `crate`, `super`, `self` or a crate of ours on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub parts: Vec<String>,
    pub line: usize,
    /// Written in a `use`.
    pub imported: bool,
}

/// A module that is declared in another file, or whose content stands right there.
#[derive(Debug)]
pub struct Module {
    pub name: String,
    /// Of `#[path = ".."]`.
    pub file: Option<String>,
    pub tests_only: bool,
    pub content: Option<TokenStream>,
}

type Tokens = Peekable<proc_macro2::token_stream::IntoIter>;

fn is(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == mark)
}

fn written(group: &Group) -> String {
    group.stream().to_string().replace(' ', "")
}

/// The attribute behind a `#`.
fn attribute(tokens: &mut Tokens) -> Option<String> {
    if is(tokens.peek(), '!') {
        tokens.next();
    }
    match tokens.next_if(|token| matches!(token, TokenTree::Group(_))) {
        Some(TokenTree::Group(group)) => Some(written(&group)),
        _ => None,
    }
}

/// Passes over what stands behind `#[cfg(test)]`.
fn pass_over(tokens: &mut Tokens) {
    for token in tokens.by_ref() {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => return,
            TokenTree::Punct(punct) if punct.as_char() == ';' => return,
            _ => {}
        }
    }
}

/// The modules that a file or an inline module declares.
pub fn modules(tokens: TokenStream) -> Vec<Module> {
    let mut tokens = tokens.into_iter().peekable();
    let mut attributes: Vec<String> = Vec::new();
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                attributes.extend(attribute(&mut tokens));
            }
            TokenTree::Ident(word) if word == "mod" => {
                let Some(TokenTree::Ident(name)) = tokens.next() else {
                    continue;
                };
                let content = match tokens.next() {
                    Some(TokenTree::Group(group)) => Some(group.stream()),
                    _ => None,
                };
                let path = attributes
                    .iter()
                    .find_map(|said| said.strip_prefix("path="));
                found.push(Module {
                    name: name.to_string(),
                    file: path.map(|path| path.trim_matches('"').to_owned()),
                    tests_only: attributes.iter().any(|said| said == "cfg(test)"),
                    content,
                });
                attributes.clear();
            }
            // Behind visibility, the attributes are still those of the item.
            TokenTree::Ident(word) if word == "pub" => {
                tokens.next_if(|token| matches!(token, TokenTree::Group(_)));
            }
            _ => attributes.clear(),
        }
    }
    found
}

/// The paths that stand in tokens, but for those of tests and of visibilities.
pub fn paths(tokens: TokenStream) -> Vec<Path> {
    let mut found = Vec::new();
    walk(tokens, &mut Vec::new(), &mut found);
    found
}

/// `inline`: the inline modules around, for which `super` means less.
fn walk(tokens: TokenStream, inline: &mut Vec<String>, found: &mut Vec<Path>) {
    let mut tokens = tokens.into_iter().peekable();
    let (mut imported, mut behind_colon) = (false, false);
    while let Some(token) = tokens.next() {
        let was_behind_colon = std::mem::replace(&mut behind_colon, is(Some(&token), ':'));
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let said = attribute(&mut tokens);
                if said.is_some_and(|said| said == "cfg(test)") {
                    pass_over(&mut tokens);
                }
            }
            TokenTree::Punct(punct) if punct.as_char() == ';' => imported = false,
            TokenTree::Ident(word) if word == "pub" => {
                tokens.next_if(|token| matches!(token, TokenTree::Group(_)));
            }
            TokenTree::Ident(word) if word == "use" => {
                imported = true;
                let start = tokens.peek().map(|token| token.span().start().line);
                // A path of a child: `use child::Thing`.
                if matches!(tokens.peek(), Some(TokenTree::Ident(first)) if !is_start(&first.to_string()))
                {
                    let mut parts = inline_base(inline);
                    let Some(TokenTree::Ident(first)) = tokens.next() else {
                        continue;
                    };
                    parts.push(first.to_string());
                    rest(&mut tokens, &parts, start.unwrap_or(0), true, found);
                }
            }
            TokenTree::Ident(word) if word == "mod" => {
                let Some(TokenTree::Ident(name)) = tokens.next() else {
                    continue;
                };
                if let Some(TokenTree::Group(group)) = tokens.next() {
                    inline.push(name.to_string());
                    walk(group.stream(), inline, found);
                    inline.pop();
                }
            }
            TokenTree::Ident(word) if !was_behind_colon && is_start(&word.to_string()) => {
                let line = word.span().start().line;
                let mut parts = match word.to_string().as_str() {
                    "self" => inline_base(inline),
                    "super" => {
                        let mut parts = inline_base(inline);
                        parts.push("super".to_owned());
                        parts
                    }
                    of_crate => vec![of_crate.to_owned()],
                };
                if parts.is_empty() {
                    parts.push("self".to_owned());
                }
                rest(&mut tokens, &parts, line, imported, found);
            }
            TokenTree::Group(group) => walk(group.stream(), inline, found),
            _ => {}
        }
    }
}

fn is_start(word: &str) -> bool {
    matches!(word, "crate" | "riftsync" | "super" | "self") || word.starts_with("riftsync_")
}

fn inline_base(inline: &[String]) -> Vec<String> {
    let mut parts = vec!["self".to_owned()];
    parts.extend(inline.iter().cloned());
    parts
}

/// What follows the first words of a path: more of it, or braces with several.
fn rest(tokens: &mut Tokens, start: &[String], line: usize, imported: bool, found: &mut Vec<Path>) {
    let mut parts = start.to_vec();
    while is(tokens.peek(), ':') {
        tokens.next();
        if !is(tokens.peek(), ':') {
            break;
        }
        tokens.next();
        match tokens.peek() {
            Some(TokenTree::Ident(word)) => {
                parts.push(word.to_string());
                tokens.next();
            }
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let stream = group.stream();
                tokens.next();
                branches(stream, &parts, imported, found);
                return;
            }
            _ => break,
        }
    }
    if parts.len() > start.len() || start.len() > 1 {
        found.push(Path {
            parts,
            line,
            imported,
        });
    }
}

/// `{a::B, self, c::{D, E}}`.
fn branches(stream: TokenStream, start: &[String], imported: bool, found: &mut Vec<Path>) {
    let mut tokens = stream.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if let TokenTree::Ident(word) = token {
            let line = word.span().start().line;
            if word == "as" {
                tokens.next();
                continue;
            }
            let mut parts = start.to_vec();
            if word != "self" {
                parts.push(word.to_string());
            }
            rest(&mut tokens, &parts, line, imported, found);
        }
    }
}

/// A function and the lines that it takes.
#[derive(Debug)]
pub struct Function {
    pub name: String,
    pub line: usize,
    pub lines: usize,
}

pub fn functions(tokens: TokenStream, found: &mut Vec<Function>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) if word == "fn" => {
                let line = word.span().start().line;
                let Some(TokenTree::Ident(name)) = tokens.next() else {
                    continue;
                };
                for token in tokens.by_ref() {
                    match token {
                        TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                            found.push(Function {
                                name: name.to_string(),
                                line,
                                lines: body.span_close().end().line - line + 1,
                            });
                            functions(body.stream(), found);
                            break;
                        }
                        TokenTree::Punct(punct) if punct.as_char() == ';' => break,
                        _ => {}
                    }
                }
            }
            TokenTree::Group(group) => functions(group.stream(), found),
            _ => {}
        }
    }
}

/// The strings of the program with their lines: none of its tests, no attributes, no documents.
pub fn texts(tokens: TokenStream, found: &mut Vec<(usize, String)>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let said = attribute(&mut tokens).unwrap_or_default();
                if said == "cfg(test)" {
                    pass_over(&mut tokens);
                } else if said.starts_with("error(") {
                    // What `thiserror` makes a text of.
                    found.push((punct.span().start().line, said));
                }
            }
            TokenTree::Literal(literal) if literal.to_string().contains('"') => {
                found.push((literal.span().start().line, literal.to_string()));
            }
            TokenTree::Group(group) => texts(group.stream(), found),
            _ => {}
        }
    }
}

/// From where to where something stands: lines from 1, columns from 0 in characters.
pub type Stretch = ((usize, usize), (usize, usize));

/// The strings of the tokens, and all of the statements that `statement!` declares.
pub fn strings(tokens: TokenStream, found: &mut Vec<Stretch>) {
    let mut tokens = tokens.into_iter().peekable();
    let mut before = String::new();
    while let Some(token) = tokens.next() {
        let stretch = |span: proc_macro2::Span| {
            let (start, end) = (span.start(), span.end());
            ((start.line, start.column), (end.line, end.column))
        };
        match &token {
            // A document comment is an attribute with a string, and no string.
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                attribute(&mut tokens);
            }
            TokenTree::Literal(literal) if literal.to_string().contains('"') => {
                found.push(stretch(literal.span()));
            }
            TokenTree::Group(group) if before.ends_with("statement!") => {
                found.push(stretch(group.span()));
            }
            TokenTree::Group(group) => strings(group.stream(), found),
            _ => {}
        }
        match token {
            TokenTree::Ident(word) => before = word.to_string(),
            TokenTree::Punct(punct) if punct.as_char() == '!' => before.push('!'),
            _ => before.clear(),
        }
    }
}
