use std::fmt::Write;

use super::*;

/// What the settings are when the line is `line`, the variables are `variables` and the file says `file`.
fn read(line: &str, variables: &[(&str, &str)], file: &str) -> Result<clap::ArgMatches> {
    let file = File::parse(Path::new("stele.toml"), file)?;
    let variable =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let line = std::iter::once("stele").chain(line.split_whitespace());
    let command = layered(Cli::command(), &file, &variable)?;
    Ok(command.try_get_matches_from(line)?)
}

fn port(line: &str, file: &str) -> u16 {
    let matches = read(line, &[], file).unwrap();
    *matches.subcommand().unwrap().1.get_one("port").unwrap()
}

#[test]
fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
    assert_eq!(port("serve --port 1", "port = 2"), 1);
    assert_eq!(port("serve", "port = 2"), 2);
    assert_eq!(port("serve", "port = '3'"), 3);
    assert_eq!(port("serve", ""), 5000);
}

#[test]
fn lists_in_the_file_are_lists() {
    let hosts = |file: &str| -> Vec<String> {
        let matches = read("serve", &[], file).unwrap();
        let hosts = matches.subcommand().unwrap().1.get_many("allowed_hosts");
        hosts.into_iter().flatten().cloned().collect()
    };
    assert_eq!(hosts("allowed_hosts = ['a.example', 'b.example']"), ["a.example", "b.example"]);
    assert_eq!(hosts("allowed_hosts = 'a.example,b.example'"), ["a.example", "b.example"]);
    assert_eq!(hosts(""), Vec::<String>::new());
}

#[test]
fn names_of_mlflow_go_before_the_file() {
    let variables = [("MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES", "3")];
    let matches = read("serve", &variables, "webhook_request_max_retries = 4").unwrap();
    assert_eq!(matches.subcommand().unwrap().1.get_one::<u32>("retries"), Some(&3));
}

#[test]
fn what_the_file_cannot_mean_is_refused_with_its_name() {
    for (file, expected) in [
        ("prot = 1", "there is no setting 'prot'"),
        ("port = 'many'", "'port' cannot be used: invalid digit found in string"),
        ("port = 65536", "'port' cannot be used: 65536 is not in 0..=65535"),
        ("webhook_request_timeout = 0", "'webhook_request_timeout' cannot be used: 0 is not in 1..=300"),
        ("webhook_allow_private_ips = 'perhaps'", "'webhook_allow_private_ips' cannot be used: expected true or false"),
        ("[port]\nnumber = 1", "'port' is not a text, number, boolean or list of these"),
        ("port = [[1]]", "'port' is not a text"),
        ("port = ", "is not a TOML file"),
        // The file cannot name another file.
        ("config = 'other.toml'", "there is no setting 'config'"),
        // What a single command is asked to do is no setting.
        ("json = true", "there is no setting 'json'"),
    ] {
        let refusal = format!("{:#}", read("serve", &[], file).unwrap_err());
        assert!(refusal.contains("stele.toml") && refusal.contains(expected), "{file}: {refusal}");
    }
}

#[test]
fn the_file_is_found_before_the_line_is_read() {
    let found = |line: &str| named_file(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
    assert_eq!(found("stele --config a.toml serve"), Some(PathBuf::from("a.toml")));
    assert_eq!(found("stele serve --config=a.toml"), Some(PathBuf::from("a.toml")));
    assert_eq!(found("stele serve -- --config a.toml"), None);
    assert_eq!(found("stele serve --config"), None);
}

#[test]
fn a_password_in_the_file_is_not_shown_in_the_help() {
    let file = File::parse(Path::new("stele.toml"), "database = 'postgres://me:hunter2@host/db'").unwrap();
    let mut command = layered(Cli::command(), &file, &|_| None).unwrap();
    let help = command.find_subcommand_mut("serve").unwrap().render_long_help().to_string();
    assert!(help.contains("--database") && !help.contains("hunter2"), "{help}");
}

/// Every setting of every command once, as the table in the documentation has it.
fn table(command: &clap::Command) -> BTreeMap<String, String> {
    let mut rows: BTreeMap<String, String> = command.get_subcommands().flat_map(table).collect();
    for arg in command.get_arguments() {
        let (Some(variable), Some(long)) = (arg.get_env(), arg.get_long()) else { continue };
        let default: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let (help, default) = match help.split_once(" [default: ") {
            Some((help, default)) => (help.to_owned(), default.trim_end_matches(']').to_owned()),
            None if default.is_empty() => (help, String::new()),
            None => (help, format!("`{}`", default.join(","))),
        };
        let key = setting_name(arg).map_or_else(|| "–".to_owned(), |key| format!("`{key}`"));
        let mut row = String::new();
        let variable = variable.to_string_lossy();
        write!(row, "| `--{long}` | `{variable}` | {key} | {default} | {} |", help.replace('|', "\\|")).unwrap();
        rows.insert(long.to_owned(), row);
    }
    rows
}

#[test]
fn the_documentation_lists_every_setting_as_it_is() {
    let documented = include_str!("../../../../docs/CONFIGURATION.md");
    let expected: Vec<String> = table(&Cli::command()).into_values().collect();
    let found: Vec<&str> = documented.lines().filter(|line| line.starts_with("| `--")).collect();
    assert_eq!(found, expected, "docs/CONFIGURATION.md should have these rows:\n{}", expected.join("\n"));
    for (_, foreign) in FOREIGN {
        assert!(documented.contains(foreign), "{foreign}");
    }
}
