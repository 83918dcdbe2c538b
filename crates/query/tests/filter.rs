//! The filter grammar: what texts mean, where errors are, and that writing and reading agree.

#![allow(clippy::unwrap_used)] // Only functions marked as tests are exempt by default.

use proptest::prelude::*;
use xunpin_core::{CompareOp, Field, Filter, Literal};
use xunpin_query::{FilterProblem, MAX_FILTER_CHARS, MAX_FILTER_DEPTH, format_filter, parse_filter};

fn parse(text: &str) -> Filter {
    parse_filter(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn meanings_by_their_standard_spelling() {
    for (text, standard) in [
        // Comparisons and their variants.
        ("price<=300", "price <= 300"),
        ("价格 == 1e3", "price = 1000"),
        ("price <> -2.50", "price != -2.5"),
        ("price > .5", "price > 0.5"),
        ("PRICE >= 1E-7", "price >= 1e-7"),
        ("库存>0", "stock > 0"),
        ("brand = 雅漾", r#"brand = "雅漾""#),
        ("brand = SK-II", r#"brand = "SK-II""#),
        ("品牌 = 迪奥·真我", r#"brand = "迪奥·真我""#),
        (r#"brand = 'L\'Or"eal'"#, r#"brand = "L'Or\"eal""#),
        (r#"title = "a\\b\nc""#, r#"title = "a\\b\nc""#),
        ("category = 护肤/精华", r#"category = "护肤/精华""#),
        ("updated_at >= 2016-11-12", r#"updated_at >= "2016-11-12""#),
        ("updated_at < 2016/11/12", r#"updated_at < "2016/11/12""#),
        // What a word means depends on what the field holds.
        ("id = 00123", r#"id = "00123""#),
        ("brand = true", r#"brand = "true""#),
        ("型号 = 00123", "型号 = 123"),
        ("型号 = '00123'", r#"型号 = "00123""#),
        ("型号 contains 123", r#"型号 contains "123""#),
        ("型号 = inf", r#"型号 = "inf""#),
        ("型号 = 1e999", r#"型号 = "1e999""#),
        ("净含量 > 20", "净含量 > 20"),
        ("净含量 > 20ml", r#"净含量 > "20ml""#),
        ("酒精 = False", "酒精 = false"),
        // Lists, containing, existing.
        ("brand in (雅漾, \"薇姿\")", r#"brand in ("雅漾", "薇姿")"#),
        ("brand in (雅漾)", r#"brand = "雅漾""#),
        ("brand not in (雅漾)", r#"brand != "雅漾""#),
        ("price not in (1,2)", "price not in (1, 2)"),
        ("brand = a or brand = b", r#"brand in ("a", "b")"#),
        ("title Contains 'A醇'", r#"title contains "A醇""#),
        ("title not contains 旅行装", r#"title not contains "旅行装""#),
        ("exists stock", "exists stock"),
        ("stock exists", "exists stock"),
        ("产地 not exists", "not exists 产地"),
        // Junctions and their precedence.
        ("price<1 or price>2 and stock=0", "price < 1 or price > 2 and stock = 0"),
        ("(price<1 or price>2) and stock=0", "(price < 1 or price > 2) and stock = 0"),
        ("not price<1 and stock=0", "not price < 1 and stock = 0"),
        ("not (price<1 and stock=0)", "not (price < 1 and stock = 0)"),
        ("!(price<1) && stock=0 || stock=5", "not price < 1 and stock = 0 or stock = 5"),
        ("NOT NOT price=1", "not price != 1"),
        ("((price=1))", "price = 1"),
        ("price=1 and (stock=1 and stock=2)", "price = 1 and (stock = 1 and stock = 2)"),
        ("true", "true"),
        ("not FALSE or price=1", "not false or price = 1"),
        // As input methods type it.
        ("（价格＜＝３００．５，）", "error"),
        (
            "（价格＜＝３００．５） and 品牌　in　（“雅漾”，‘薇姿’、修丽可）",
            r#"price <= 300.5 and brand in ("雅漾", "薇姿", "修丽可")"#,
        ),
        ("ｐｒｉｃｅ！＝１ ＡＮＤ stock≥2 && stock≠3", "price != 1 and stock >= 2 and stock != 3"),
        ("brand＝＝”雅漾“", r#"brand = "雅漾""#),
        ("brand = ＡＢＣ", r#"brand = "ＡＢＣ""#),
        // Names.
        ("`适用 人群` = 孕妇", r#"`适用 人群` = "孕妇""#),
        (r"`a\`b\\` = 1", r"`a\`b\\` = 1"),
        ("`and` = 1", "`and` = 1"),
        ("`price` = 1", "price = 1"),
        ("attributes.price = 便宜", r#"attributes.price = "便宜""#),
        ("Attributes.肤质 = 干皮", r#"肤质 = "干皮""#),
        ("`attributes.分类` = x", r#"attributes.分类 = "x""#),
        ("attributes. = x", r#"attributes. = "x""#),
        ("a.b-c_d = x", r#"a.b-c_d = "x""#),
    ] {
        match parse_filter(text) {
            Ok(filter) => {
                assert_eq!(format_filter(&filter), standard, "{text}");
                assert_eq!(parse(standard), filter, "{text}");
            }
            Err(error) => assert_eq!(standard, "error", "{error}"),
        }
    }
}

#[test]
fn trees() {
    let compare =
        |name: &str, op, value: Literal| Filter::Compare { field: Field::from_name(name), op, value };
    let price = |n: f64| compare("price", CompareOp::Equal, n.into());
    assert_eq!(
        parse("price = 1 or price = 2 and not exists stock"),
        Filter::Or(vec![
            price(1.0),
            Filter::And(vec![price(2.0), Filter::Not(Box::new(Filter::Exists(Field::Stock)))]),
        ])
    );
    assert_eq!(parse("price not in (1, 2)"), Filter::Not(Box::new(Filter::Or(vec![price(1.0), price(2.0)]))));
    assert_eq!(parse("brand = 361"), compare("brand", CompareOp::Equal, "361".into()));
    assert_eq!(parse("码 = 361"), compare("码", CompareOp::Equal, 361.0.into()));
    assert_eq!(parse("码 contains 361"), compare("码", CompareOp::Contains, "361".into()));
    assert_eq!(parse("酒精 = false"), compare("酒精", CompareOp::Equal, Literal::Bool(false)));
    assert_eq!(
        parse("attributes.price = 1"),
        Filter::Compare { field: Field::Named("price".into()), op: CompareOp::Equal, value: 1.0.into() }
    );
    assert_eq!(parse("true"), Filter::And(vec![]));
}

#[test]
fn errors_tell_column_and_problem() {
    for (text, column, problem) in [
        ("", 1, "empty; write a comparison"),
        (" \u{3000}", 1, "empty; write a comparison"),
        (
            "price",
            6,
            "expected a comparison: = != < <= > >= in, contains or exists, found the end of the filter",
        ),
        ("price <", 8, "expected a value, found the end of the filter"),
        (
            "price < 便宜",
            9,
            "price holds numbers: expected a number such as 300, without quotes or unit, found `便宜`",
        ),
        (
            "价格 < '300'",
            6,
            "price holds numbers: expected a number such as 300, without quotes or unit, found `'300'`",
        ),
        ("price < 300元", 9, "price holds numbers"),
        ("price = 1e999", 9, "price holds numbers"),
        ("stock in (1, 二)", 14, "stock holds numbers"),
        ("stock = true", 9, "stock holds numbers"),
        ("price contains 3", 7, "price holds numbers, which contain no text"),
        ("品牌 > 雅漾", 4, "brand holds text, which has no order"),
        ("酒精 >= true", 7, "true and false have no order"),
        (
            "brand = La Roche",
            12,
            "expected `and`, `or` or the end (put quotes round a value of several words), found `Roche`",
        ),
        ("price = 1)", 10, "expected `and`, `or` or the end, found `)`"),
        ("(price = 1", 11, "expected `and`, `or` or `)`, found the end of the filter"),
        ("price = 1 and", 14, "expected a field, `not` or `(`, found the end of the filter"),
        ("and price = 1", 1, "expected a field (put a name that is a keyword in backticks), found `and`"),
        ("price = 1 or or price = 2", 14, "expected a field (put a name"),
        ("exists", 7, "expected a field after `exists`, found the end"),
        ("brand in 雅漾", 10, "expected `(` and the values after `in`, found `雅漾`"),
        ("brand in ()", 11, "expected a value, found `)`"),
        ("brand in (雅漾", 13, "expected `,` or `)`, found the end"),
        ("brand in (雅漾,)", 14, "expected a value, found `)`"),
        ("brand not = 雅漾", 11, "expected `in`, `contains` or `exists` after `not`, found `=`"),
        ("brand = and", 9, "expected a value (put a value that is a keyword in quotes), found `and`"),
        ("brand = `雅漾`", 9, "expected a value (in quotes; backticks are for names), found ``雅漾``"),
        ("品牌 = “雅漾", 6, "“ is not closed by ”"),
        ("brand = \"雅漾\\", 9, "\" is not closed by \""),
        (r"brand = 'a\x'", 11, r"\x is not known"),
        ("`` = 1", 1, "expected a field's name, found nothing between the backticks"),
        ("价格 ~ 3", 4, "`~` has no meaning here"),
        ("price = 1 & stock = 1", 11, "`&` has no meaning here"),
        ("'雅漾' = brand", 1, "expected a field, `not` or `(`, found `'雅漾'`"),
        ("title = 😀", 9, "`😀` has no meaning here"),
    ] {
        let error = parse_filter(text).unwrap_err();
        assert_eq!(error.column(), column, "{error}");
        let offset = text.char_indices().map(|(at, _)| at).nth(column - 1).unwrap_or(text.len());
        assert_eq!(error.offset(), offset, "{error}");
        assert!(error.problem().to_string().starts_with(problem), "{text}\n{error}");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn the_caret_stands_under_the_problem() {
    assert_eq!(
        parse_filter("品牌 = 雅漾 and 价格 < 便宜").unwrap_err().to_string(),
        "filter, column 18: price holds numbers: expected a number such as 300, without quotes or unit, found `便宜`\n\
        \x20 品牌 = 雅漾 and 价格 < 便宜\n\
        \x20                        ^^^^"
    );
    assert_eq!(
        parse_filter("price\t=\n").unwrap_err().to_string(),
        "filter, column 9: expected a value, found the end of the filter\n  price = \n          ^"
    );
    let long = format!("{}price = 一 or {}", "brand = 雅漾 or ".repeat(300), "brand = 雅漾 or ".repeat(300));
    let message = parse_filter(&long).unwrap_err().to_string();
    let lines: Vec<&str> = message.lines().collect();
    assert!(
        lines[1].starts_with("  …") && lines[1].ends_with('…') && lines[1].contains("price = 一 or"),
        "{message}"
    );
    assert!(lines.iter().all(|line| line.chars().count() < 120), "{message}");
}

#[test]
fn limits() {
    let nested = |n: usize| format!("{}price = 1{}", "(".repeat(n), ")".repeat(n));
    assert!(parse_filter(&nested(MAX_FILTER_DEPTH)).is_ok());
    for text in
        [nested(200), format!("{}price = 1", "not ".repeat(200)), format!("{}price = 1", "!(".repeat(100))]
    {
        let error = parse_filter(&text).unwrap_err();
        assert_eq!(*error.problem(), FilterProblem::TooDeep { limit: MAX_FILTER_DEPTH });
    }
    assert_eq!(parse_filter(&nested(200)).unwrap_err().column(), MAX_FILTER_DEPTH + 1);

    let wide = "价格 = 1 or ".repeat(900) + "价格 = 2";
    assert!(wide.chars().count() <= MAX_FILTER_CHARS);
    assert!(matches!(parse(&wide), Filter::Or(parts) if parts.len() == 901));
    let error = parse_filter(&"价".repeat(MAX_FILTER_CHARS + 1)).unwrap_err();
    assert_eq!(error.to_string(), "filter: 10001 characters long; at most 10000 are read");
}

#[test]
fn filters_built_by_hand_keep_their_meaning() {
    let price = parse("price = 1");
    for (filter, text) in [
        (Filter::And(vec![price.clone()]), "price = 1"),
        (Filter::Not(Box::new(Filter::Or(vec![price.clone()]))), "not price = 1"),
        (
            Filter::And(vec![Filter::Or(vec![Filter::And(vec![price.clone(), price.clone()])])]),
            "price = 1 and price = 1",
        ),
    ] {
        assert_eq!(format_filter(&filter), text);
    }
}

fn fields() -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(Field::Id),
        Just(Field::Brand),
        Just(Field::Category),
        Just(Field::Price),
        Just(Field::Stock),
        Just(Field::UpdatedAt),
        "[a-z肤质０-９_. `\\\\]{1,6}".prop_map(Field::Named),
        prop::sample::select(vec![
            "price",
            "分类",
            "not",
            "ｂrand",
            "attributes.x",
            "attributes.",
            "Attributes.brand"
        ])
        .prop_map(|name| Field::Named(name.to_owned())),
        "\\PC{1,8}".prop_map(Field::Named),
    ]
}

fn comparisons() -> impl Strategy<Value = Filter> {
    use CompareOp::*;
    let numbers = prop_oneof![
        any::<f64>().prop_filter("finite", |n| n.is_finite()),
        (-1000i32..1000).prop_map(f64::from)
    ];
    let texts =
        prop_oneof![".{0,8}", "[a-z雅漾\"'`\\\\\n]{0,6}", Just("true".to_owned()), Just("12".to_owned())];
    let ops = prop::sample::select(vec![Equal, Less, LessOrEqual, Greater, GreaterOrEqual, Contains]);
    (fields(), ops, numbers, texts, any::<bool>(), 0..3).prop_map(|(field, op, number, text, yes, kind)| {
        let ordering = !matches!(op, Equal | Contains);
        let op = match op {
            Contains if field.is_numeric() => Equal,
            _ if ordering && field.is_text() && field != Field::UpdatedAt => Equal,
            op => op,
        };
        let value = match kind {
            _ if field.is_numeric() => Literal::Number(number),
            _ if field.is_text() || op == Contains => Literal::Text(text),
            0 => Literal::Number(number),
            1 if op == Equal => Literal::Bool(yes),
            _ => Literal::Text(text),
        };
        Filter::Compare { field, op, value }
    })
}

fn filters() -> impl Strategy<Value = Filter> {
    let leaf = prop_oneof![
        6 => comparisons(),
        1 => fields().prop_map(Filter::Exists),
        1 => Just(Filter::And(vec![])),
        1 => Just(Filter::Or(vec![])),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.clone().prop_map(|part| Filter::Not(Box::new(part))),
            // The same field twice, which is written as a list.
            (inner, comparisons()).prop_map(|(other, one)| Filter::Or(vec![one.clone(), one, other])),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn writing_and_reading_gives_the_same_tree(filter in filters()) {
        let text = format_filter(&filter);
        prop_assert_eq!(parse_filter(&text).map_err(|e| e.to_string()), Ok(filter), "{}", text);
    }

    #[test]
    fn any_text_gives_a_filter_or_a_position_within(text in prop_oneof![
        ".{0,60}",
        "((price|品牌|`a b`|not|and|or|in|exists|[()=<>!&|,“”'\"\\\\ ]|[0-9]|contains|true) ?){0,16}",
    ]) {
        match parse_filter(&text) {
            Ok(filter) => prop_assert_eq!(parse(&format_filter(&filter)), filter),
            Err(error) => {
                prop_assert!(text.is_char_boundary(error.offset()));
                prop_assert!(error.column() <= text.chars().count() + 1);
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
