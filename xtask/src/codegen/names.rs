//! Names in Rust's manner.

const KEYWORDS: &[&str] = &[
    "as", "box", "break", "const", "continue", "dyn", "else", "enum", "final", "fn", "for", "if",
    "impl", "in", "let", "loop", "match", "mod", "move", "override", "priv", "pub", "ref",
    "return", "static", "struct", "trait", "true", "try", "type", "unsafe", "use", "virtual",
    "where", "while", "yield",
];

/// `TopicId` to `topic_id`; `KRaft` counts as one word.
pub(super) fn snake(name: &str) -> String {
    let name = name.replace("KRaft", "Kraft");
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (i, &c) in chars.iter().enumerate() {
        let after_small = i > 0 && !chars[i - 1].is_uppercase();
        let before_small = i > 0 && chars.get(i + 1).is_some_and(|c| c.is_lowercase());
        if c.is_uppercase() && (after_small || before_small) && i > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// The name of a field.
pub(super) fn field(name: &str) -> String {
    let name = snake(name);
    if KEYWORDS.contains(&name.as_str()) {
        format!("r#{name}")
    } else {
        name
    }
}
