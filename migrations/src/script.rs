//! A script's statements, one by one: what speaks SQL over HTTP takes one statement at a time.

/// A statement of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece<'a> {
    /// Its text, without the comments before it and the semicolon behind it.
    pub(crate) text: &'a str,
    /// The line of the script that it begins in, from 1.
    pub(crate) line: usize,
}

impl Piece<'_> {
    /// Its first word, in lower case.
    pub(crate) fn verb(&self) -> String {
        let word = self.text.chars().take_while(char::is_ascii_alphabetic);
        word.collect::<String>().to_ascii_lowercase()
    }
}

/// The statements of a script, by the lexical rules of Postgres ("SQL Syntax, Lexical Structure") with
/// standard strings: quotes, dollar quotes, nested comments, and function bodies in `begin atomic`.
///
/// # Errors
/// Says what does not end, and the line that it begins in.
pub(crate) fn split(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut scanner = Scanner { text, at: 0 };
    let mut pieces = Vec::new();
    let mut statement = Open::default();
    while let Some(byte) = scanner.byte(0) {
        let start = scanner.at;
        match byte {
            _ if byte.is_ascii_whitespace() => scanner.at += 1,
            b'-' if scanner.byte(1) == Some(b'-') => scanner.line_comment(),
            b'/' if scanner.byte(1) == Some(b'*') => scanner.block_comment()?,
            b';' if statement.is_at_its_end() => {
                statement.close(text, start, &mut pieces);
                statement = Open::default();
                scanner.at += 1;
            }
            _ => {
                statement.start.get_or_insert(start);
                scanner.token(byte, &mut statement)?;
            }
        }
    }
    if statement.body > 0 {
        return Err(scanner.unfinished("begin atomic", statement.start.unwrap_or_default()));
    }
    statement.close(text, text.len(), &mut pieces);
    Ok(pieces)
}

/// The statement that is being read.
#[derive(Default)]
struct Open {
    start: Option<usize>,
    parentheses: usize,
    /// How many `end`s are to come until the end of a body in `begin atomic`.
    body: usize,
    after_begin: bool,
}

impl Open {
    fn is_at_its_end(&self) -> bool {
        self.parentheses == 0 && self.body == 0
    }

    fn close<'a>(&self, text: &'a str, end: usize, pieces: &mut Vec<Piece<'a>>) {
        if let Some(start) = self.start {
            let line = line_of(text, start);
            pieces.push(Piece { text: text[start..end].trim_end(), line });
        }
    }

    fn word(&mut self, word: &str) {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        if self.after_begin && is("atomic") || self.body > 0 && is("case") {
            self.body += 1;
        } else if self.body > 0 && is("end") {
            self.body -= 1;
        }
        self.after_begin = is("begin");
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    fn token(&mut self, byte: u8, statement: &mut Open) -> Result<(), String> {
        match byte {
            b'\'' => self.quoted(b'\'', false)?,
            b'"' => self.quoted(b'"', false)?,
            b'$' => self.dollar()?,
            _ if is_of_name(byte) => {
                let start = self.at;
                while self.byte(0).is_some_and(|byte| is_of_name(byte) || byte == b'$') {
                    self.at += 1;
                }
                let word = &self.text[start..self.at];
                statement.word(word);
                if word.eq_ignore_ascii_case("e") && self.byte(0) == Some(b'\'') {
                    self.quoted(b'\'', true)?;
                }
            }
            _ => {
                match byte {
                    b'(' => statement.parentheses += 1,
                    b')' => statement.parentheses = statement.parentheses.saturating_sub(1),
                    _ => {}
                }
                self.at += 1;
            }
        }
        Ok(())
    }

    fn line_comment(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.find('\n').unwrap_or(rest.len());
    }

    fn block_comment(&mut self) -> Result<(), String> {
        let (start, mut depth) = (self.at, 0);
        while let Some(byte) = self.byte(0) {
            match (byte, self.byte(1)) {
                (b'/', Some(b'*')) => depth += 1,
                (b'*', Some(b'/')) => depth -= 1,
                _ => {
                    self.at += 1;
                    continue;
                }
            }
            self.at += 2;
            if depth == 0 {
                return Ok(());
            }
        }
        Err(self.unfinished("a comment", start))
    }

    /// A quote inside is doubled, so it ends one string and begins the next.
    fn quoted(&mut self, quote: u8, escapes: bool) -> Result<(), String> {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.byte(0) {
            self.at += 1;
            if byte == quote {
                return Ok(());
            }
            if escapes && byte == b'\\' {
                self.at += 1;
            }
        }
        Err(self.unfinished("a quoted text", start))
    }

    /// `$tag$ … $tag$`, or a `$` that is none.
    fn dollar(&mut self) -> Result<(), String> {
        let start = self.at;
        let rest = &self.text[start + 1..];
        let tag = rest.bytes().position(|byte| !is_of_name(byte));
        let tag = tag.filter(|end| rest.as_bytes()[*end] == b'$');
        let tag = tag.filter(|_| !rest.as_bytes()[0].is_ascii_digit());
        let Some(tag) = tag else {
            self.at += 1;
            return Ok(());
        };
        let (quote, body) = self.text[start..].split_at(tag + 2);
        let Some(end) = body.find(quote) else {
            return Err(self.unfinished("a dollar-quoted text", start));
        };
        self.at = start + quote.len() + end + quote.len();
        Ok(())
    }

    fn unfinished(&self, what: &str, start: usize) -> String {
        format!("{what} that begins in line {} has no end", line_of(self.text, start))
    }
}

/// Letters of other languages may be part of names, and are more than a byte.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        split(script).unwrap().into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn a_semicolon_ends_a_statement_only_where_it_is_one() {
        for statement in [
            "select 'a;b', 'it''s;', \"a;\"\"b\"",
            r"select E'\';', e'\\', 'no \'",
            "select $$;$$, $a$;$$;$a$, a$b, $1",
            "select 1 /* ; /* ; */ ; */ + 2",
            "select 1 -- ; 'unfinished",
            "create rule r as on insert to t do also (select 1; select 2)",
            "create function f() returns int begin atomic select case when true then 1 end; select 2; end",
            "do $$ begin if true then null; end if; end $$",
            "select 'äöü;' as größe",
        ] {
            let script = format!("-- first;\n{statement}\n; select 2;");
            assert_eq!(texts(&script)[0].trim_end(), statement);
            assert_eq!(texts(&script)[1..], ["select 2"], "{statement}");
        }
    }

    #[test]
    fn comments_and_empty_statements_are_none() {
        assert_eq!(texts(""), [""; 0]);
        assert_eq!(texts(" ; -- a\n; /* b */ ;\n"), [""; 0]);
        assert_eq!(texts("select 1"), ["select 1"]);
    }

    #[test]
    fn a_statement_knows_its_line_and_its_verb() {
        let pieces = split("-- one\n\nselect\n1;\n\n  CREATE table t ();").unwrap();
        let seen: Vec<_> = pieces.iter().map(|piece| (piece.line, piece.verb())).collect();
        assert_eq!(seen, [(3, "select".to_owned()), (6, "create".to_owned())]);
    }

    #[test]
    fn what_does_not_end_is_named() {
        for (script, expected) in [
            ("select 1;\nselect 'x", "a quoted text that begins in line 2"),
            ("select \"x", "a quoted text that begins in line 1"),
            ("/* /* */", "a comment that begins in line 1"),
            ("do $a$ $b$", "a dollar-quoted text that begins in line 1"),
            ("\ncreate function f() begin atomic select 1;", "begin atomic that begins in line 2"),
        ] {
            let error = split(script).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
