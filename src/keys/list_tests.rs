use super::*;
use crate::keys::viewers::{Viewer, ViewersList};
use crate::wire::Role;

fn viewer(name: &str, key: u8) -> Viewer {
    Viewer { name: name.parse().unwrap(), role: Role::View, key: PublicKey::from_bytes([key; 32]) }
}

fn names(list: &ViewersList) -> Vec<String> {
    list.iter().map(|viewer| viewer.name.to_string()).collect()
}

#[test]
fn remarks_and_untouched_lines_stay_letter_for_letter() {
    let (anna, bert) = (viewer("anna", 1).to_line(), viewer("bert", 2).to_line());
    let anna = anna.replace(' ', " \t ");
    let text = format!("# family\r\n\n{anna}\n  # away until May\n{bert}  \n\n# end");
    let mut list = ViewersList::parse(Path::new("viewers"), &text).unwrap();
    list.add(viewer("carl", 3)).unwrap();
    assert_eq!(names(&list), ["anna", "bert", "carl"]);
    assert_eq!(list.remove("bert".parse().unwrap()), Some(viewer("bert", 2)));
    assert_eq!(list.remove("bert".parse().unwrap()), None);
    let carl = viewer("carl", 3).to_line();
    assert_eq!(list.to_text(), format!("# family\n\n{anna}\n  # away until May\n\n# end\n{carl}\n"));
    list.put(Viewer { role: Role::Admin, ..viewer("anna", 9) }).unwrap();
    assert_eq!(list.by_name("anna".parse().unwrap()).map(|anna| anna.role), Some(Role::Admin));
    assert!(list.by_key(&PublicKey::from_bytes([1; 32])).is_none());
    assert_eq!(names(&list), ["anna", "carl"], "it stays in its place");
}

#[test]
fn two_of_one_name_or_key_are_refused() {
    let mut list = ViewersList::new();
    list.add(viewer("anna", 1)).unwrap();
    list.add(viewer("bert", 2)).unwrap();
    let refusals = [
        (list.add(viewer("anna", 3)), "a viewer is called anna already"),
        (list.add(viewer("carl", 1)), "the viewer anna has that key already"),
        (list.put(viewer("carl", 1)), "the viewer anna has that key already"),
        (list.put(viewer("bert", 1)), "the viewer anna has the key of bert already"),
    ];
    for (refusal, words) in refusals {
        let why = refusal.unwrap_err();
        assert!(why.to_string().contains(words) && !why.is_of_the_system(), "{why}");
    }
    list.put(viewer("anna", 1)).unwrap();
    assert_eq!((names(&list), list.len()), (vec!["anna".into(), "bert".into()], 2));
}

#[test]
fn no_list_outgrows_its_bound() {
    let key = |at: usize| PublicKey::from_bytes(std::array::from_fn(|byte| at.to_le_bytes()[byte % 8]));
    let mut list = ViewersList::new();
    for at in 0..MOST {
        list.add(Viewer { key: key(at), ..viewer(&format!("v{at}"), 0) }).unwrap();
    }
    let why = list.add(Viewer { key: key(MOST), ..viewer("more", 0) }).unwrap_err().to_string();
    assert!(why.contains("full, with 1024 viewers"), "{why}");
    let text = list.to_text();
    assert_eq!(ViewersList::parse(Path::new("viewers"), &text).unwrap().len(), MOST);
    let text = format!("{text}{}\n", Viewer { key: key(MOST), ..viewer("more", 0) }.to_line());
    let why = ViewersList::parse(Path::new("viewers"), &text).unwrap_err().to_string();
    assert!(why.starts_with("viewers:1025:1: more than 1024 viewers"), "{why}");
}
