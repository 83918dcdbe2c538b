//! Word vectors: trained, imported, exported, looked into, searched by; and files that are none.

use serde_json::json;

use crate::support::{Ran, Shop};

/// Creams and boots in few words, many times.
fn shop() -> Shop {
    let shop = Shop::new();
    let (creams, boots) = (["保湿 面霜", "抗皱 面霜", "抗皱 精华"], ["儿童 雨鞋", "防滑 雨鞋", "防滑 靴子"]);
    let lines: Vec<String> = (0..90)
        .map(|n| {
            let title = if n % 2 == 0 { creams[n / 2 % 3] } else { boots[n / 2 % 3] };
            json!({"id": format!("{}{n:02}", if n % 2 == 0 { "c" } else { "b" }), "title": title}).to_string()
        })
        .collect();
    shop.index(&[&shop.write("shop.jsonl", lines.join("\n"))]).expect(0);
    shop
}

const TRAIN: [&str; 12] = [
    "word2vec",
    "train",
    "--dim",
    "12",
    "--epochs",
    "40",
    "--min-count",
    "1",
    "--subsample",
    "0",
    "--window",
    "3",
];

fn import(shop: &Shop, name: &str, content: impl AsRef<[u8]>) -> Ran {
    let file = shop.write(name, content);
    shop.run(&["word2vec", "import", file.to_str().unwrap()])
}

#[test]
fn trained_vectors_are_searched_by() {
    let shop = shop();
    let text = shop.write("queries.txt", "抗皱 眼霜\n抗皱 眼霜\n抗皱 眼霜\n");
    let report = shop
        .run(&[&TRAIN[..], &["--text", text.to_str().unwrap(), "--format", "json"]].concat())
        .expect(0)
        .json();
    assert_eq!((&report["schema"], &report["dimension"]), (&json!("xunpin.word2vec.v1"), &json!(12)));
    assert_eq!((&report["products"], &report["products_without"]), (&json!(90), &json!(0)));
    assert_eq!(report["training"]["sentences"], 93);
    let found = shop.answer("抗皱", &["--mode", "word2vec", "-k", "15"]);
    assert!(
        found["hits"].as_array().unwrap().iter().all(|h| h["id"].as_str().unwrap().starts_with('c')),
        "{found}"
    );
    // A word of the text files alone finds what stands near it there.
    let eye = shop.answer("眼霜", &["--mode", "word2vec", "-k", "5"]);
    assert!(
        eye["hits"]
            .as_array()
            .unwrap()
            .iter()
            .all(|h| h["product"]["title"].as_str().unwrap().contains("抗皱"))
    );
    let half = shop.run(&["search", "抗皱 手机", "--mode", "word2vec"]).expect(0);
    half.tells(&["do not know: 手机", "抗皱"]);
    shop.run(&["search", "无线手机", "--mode", "word2vec"])
        .expect(1)
        .tells(&["do not know", "not one word of the query has a vector"]);
    let none = shop.answer("无线手机", &["--mode", "word2vec"]);
    assert_eq!(
        (none["hits"].as_array().unwrap().len(), &none["unknown_words"]),
        (0, &json!(["无线", "手机"]))
    );
    shop.run(&["stats"]).expect(0).tells(&["word vectors of 12 values", "trained"]);
    assert_eq!(shop.stats()["word2vec"]["dimension"], 12);
    shop.run(&["verify"]).expect(0).tells(&["90 static vectors"]);
    // New products get a vector as they come.
    shop.index(&[&shop.write("more.jsonl", "{\"id\":\"c99\",\"title\":\"抗皱 精华\"}\n")]).expect(0);
    assert!(shop.search("抗皱 精华", &["--mode", "word2vec", "-k", "20"]).contains(&"c99".to_owned()));
}

#[test]
fn the_same_seed_gives_the_same_vectors_in_both_architectures() {
    let shop = shop();
    // With a single word of context both architectures come to the same.
    let text = shop.write("queries.txt", "保湿 抗皱 面霜\n儿童 防滑 雨鞋\n");
    let text = ["--text", text.to_str().unwrap()];
    let train = |flags: &[&str]| {
        shop.run(&[&TRAIN[..], &text, flags].concat())
            .expect(0)
            .tells(&["word vectors of 12 values", "trained on"]);
        let file = shop.path("vectors.txt");
        shop.run(&["word2vec", "export", file.to_str().unwrap()]).expect(0).tells(&["text form"]);
        std::fs::read_to_string(file).unwrap()
    };
    let first = train(&["--threads", "1"]);
    assert_eq!(first.lines().next(), Some("8 12"));
    assert_eq!(train(&["--threads", "2"]), first);
    assert_ne!(train(&["--seed", "2"]), first);
    let cbow = train(&["--arch", "cbow", "--pooling", "mean"]);
    assert_ne!(cbow, first);
    shop.run(&["stats"]).expect(0).tells(&["mean"]);
}

#[test]
fn what_is_exported_can_be_imported() {
    let shop = shop();
    shop.run(&TRAIN).expect(0);
    let before = shop.run(&["word2vec", "similar", "面霜", "--format", "json"]).expect(0).json();
    assert_eq!(
        (&before["schema"], &before["words"].as_array().unwrap().len()),
        (&json!("xunpin.words.v1"), &7)
    );
    for name in ["vectors.txt", "vectors.bin"] {
        let file = shop.path(name);
        let file = file.to_str().unwrap();
        let exported = shop.run(&["word2vec", "export", file, "--format", "json"]).expect(0).json();
        assert_eq!((&exported["words"], &exported["dimension"]), (&json!(8), &json!(12)));
        let report = shop.run(&["word2vec", "import", file, "--format", "json"]).expect(0).json();
        assert_eq!((&report["words"], &report["file"]["rows"]), (&json!(8), &json!(8)));
        assert_eq!(shop.run(&["word2vec", "similar", "面霜", "--format", "json"]).json(), before);
    }
    shop.run(&["stats"]).expect(0).tells(&["imported"]);
}

#[test]
fn nearest_words_and_analogies() {
    let shop = shop();
    let vectors = "6 2\n男装 1 0\n女装 0 1\n男鞋 3 0.2\n女鞋 0.3 3\n面霜 -1 -1\nwh1000xm5 -1 1\n";
    import(&shop, "vectors.txt", vectors).expect(0).tells(&["6 word vectors of 2 values"]);
    shop.run(&["word2vec", "similar", "女装", "-k", "1"]).expect(0).tells(&["cosine", "女鞋"]);
    shop.run(&["word2vec", "analogy", "女鞋", "女装", "男装", "-k", "1"]).expect(0).tells(&["男鞋"]);
    let named = shop
        .run(&[
            "word2vec",
            "analogy",
            "--positive",
            "女鞋",
            "--positive",
            "男装",
            "--negative",
            "女装",
            "--format",
            "json",
        ])
        .expect(0)
        .json();
    assert_eq!(
        (&named["positive"], &named["negative"], &named["words"][0]["word"]),
        (&json!(["女鞋", "男装"]), &json!(["女装"]), &json!("男鞋"))
    );
    shop.run(&["word2vec", "similar", "WH-1000XM5"]).expect(0).tells(&["女装"]);
    shop.run(&["word2vec", "similar", "手机"]).expect(1).tells(&["No vector for 手机"]);
    let unknown =
        shop.run(&["word2vec", "analogy", "手机", "男装", "电脑", "--format", "json"]).expect(1).json();
    assert_eq!((&unknown["unknown"], &unknown["words"]), (&json!(["手机", "电脑"]), &json!([])));
    shop.run(&["word2vec", "analogy", "女鞋", "女装"]).expect(2);
    shop.run(&["word2vec", "analogy"]).expect(2);
}

#[test]
fn files_that_are_no_vectors() {
    let shop = shop();
    import(&shop, "ragged.txt", "3 2\n面霜 1 0\n雨鞋 1\n靴子 0 1\n").expect(3).tells(&[
        "ragged.txt:3",
        "1 values",
        "2",
    ]);
    import(&shop, "header.txt", "9 2\n面霜 1 0\n雨鞋 0 1\n").expect(3).tells(&["header.txt", "9", "2"]);
    import(&shop, "word.txt", "2 2\n面霜 1 0\n雨鞋 0 one\n").expect(3).tells(&["word.txt:3", "one"]);
    import(&shop, "other.csv", "id,title\n1,a\n")
        .expect(3)
        .tells(&["other.csv", "not a file of word vectors"]);
    import(&shop, "empty.txt", "").expect(3).tells(&["empty.txt"]);
    import(&shop, "foreign.txt", "2 2\nphone 1 0\nlaptop 0 1\n")
        .expect(2)
        .tells(&["none of the 2 words", "catalogue"]);
    shop.run(&["word2vec", "import", "nowhere.bin"]).expect(3).tells(&["nowhere.bin"]);
    // Nothing of all that reached the index.
    shop.run(&["word2vec", "similar", "面霜"]).expect(2).tells(&["no word vectors", "xunpin word2vec train"]);
    shop.run(&["stats"]).expect(0).tells(&["no word vectors"]);
    let twice = import(&shop, "twice.txt", "3 2\n面霜 1 0\n雨鞋 0 1\n面霜 5 5\n").expect(0);
    twice.tells(&["1 row passed over", "面霜", "2 word vectors"]);
}

#[test]
fn options_and_text_that_cannot_be_trained_on() {
    let shop = shop();
    shop.run(&["word2vec", "train", "--dim", "0"]).expect(2).tells(&["dimension", "0"]);
    shop.run(&["word2vec", "train", "--min-count", "1000"]).expect(2).tells(&["1000"]);
    shop.run(&["word2vec", "train", "--text", "nowhere.txt"]).expect(3).tells(&["nowhere.txt"]);
    shop.run(&["word2vec", "export", "x.txt"]).expect(2).tells(&["no word vectors"]);
}

#[test]
fn few_of_many_words_are_kept_and_those_of_the_catalogue_always() {
    let shop = shop();
    let mut file = "102 2\n".to_owned();
    (0..100).for_each(|n| file.push_str(&format!("word{n} 1 {n}\n")));
    file.push_str("面霜 1 0\n雨鞋 0 1\n");
    let path = shop.write("many.txt", file);
    let args = ["word2vec", "import", path.to_str().unwrap(), "--max-words", "10", "--format", "json"];
    let report = shop.run(&args).expect(0).json();
    assert_eq!((&report["words"], &report["file"]["left_out"]), (&json!(12), &json!(90)));
    assert_eq!(report["catalogue_words_known"], 2);
}
