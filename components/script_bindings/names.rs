//! Web IDL names to Rust names.

/// `SyncManager` and `registerTag` to `sync_manager` and `register_tag`; acronyms are words:
/// `IDBFactory` becomes `idb_factory`.
pub fn snake_case(name: &str) -> String {
    // The letter before this word is no acronym of its own, and none with the one before it.
    let name = name.replace("IFrame", "Iframe");
    let characters: Vec<char> = name.chars().collect();
    let mut result = String::new();
    for (index, character) in characters.iter().enumerate() {
        if matches!(character, '-' | '_' | ' ' | '/' | '.') {
            if !result.ends_with('_') {
                result.push('_');
            }
            continue;
        }
        if character.is_uppercase() && index > 0 {
            let previous = characters[index - 1];
            let next_is_lower = characters
                .get(index + 1)
                .is_some_and(|next| next.is_lowercase());
            let starts_word = previous.is_lowercase()
                || previous.is_ascii_digit()
                || (previous.is_uppercase() && next_is_lower);
            if starts_word && !result.ends_with('_') {
                result.push('_');
            }
        }
        result.extend(character.to_lowercase());
    }
    result
}

/// The Rust type for a Web IDL name, acronyms as words: `DOMException` becomes `DomException`.
pub fn type_name(name: &str) -> String {
    snake_case(name)
        .split('_')
        .map(|word| {
            let mut characters = word.chars();
            characters.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(characters).collect()
            })
        })
        .collect()
}

/// [`snake_case`], made fit for an identifier where it is a Rust keyword.
pub(crate) fn identifier(name: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "abstract", "as", "async", "await", "box", "break", "const", "continue", "do", "dyn",
        "else", "enum", "extern", "false", "final", "fn", "for", "if", "impl", "in", "let", "loop",
        "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "self",
        "static", "struct", "super", "trait", "true", "try", "type", "typeof", "unsafe", "use",
        "virtual", "where", "while", "yield", "realm", "call", "this",
    ];
    let name = snake_case(name);
    if KEYWORDS.contains(&name.as_str()) {
        format!("{name}_")
    } else {
        name
    }
}
