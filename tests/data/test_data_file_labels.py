"""Class and person as data sets write them into the names of their pictures."""

from __future__ import annotations

import pytest

from fer_lightning.data.file_labels import FileNames


@pytest.mark.parametrize(
    ("source", "labels", "persons"),
    [
        (
            "KDEF",
            {
                "AF01AFS.JPG": "fear",
                "AF01ANHL.JPG": "angry",
                "AF01DIFR.JPG": "disgust",
                "BM35HAHR.JPG": "happy",
                "BM35NEFL.JPG": "neutral",
                "BM35SAS.JPG": "sad",
                "BM35SUS.JPG": "surprise",
            },
            ["F01"] * 3 + ["M35"] * 4,
        ),
        (
            "RaFD",
            {
                "Rafd090_01_Caucasian_female_angry_frontal.jpg": "angry",
                "Rafd090_01_Caucasian_female_disgusted_left.jpg": "disgust",
                "Rafd045_02_Caucasian_female_fearful_right.jpg": "fear",
                "Rafd090_29_Moroccan_male_happy_frontal.jpg": "happy",
                "Rafd090_29_Moroccan_male_neutral_frontal.jpg": "neutral",
                "Rafd135_63_Caucasian_male_sad_frontal.jpg": "sad",
                "Rafd135_63_Caucasian_male_surprised_frontal.jpg": "surprise",
                "Rafd135_63_Caucasian_male_contemptuous_frontal.jpg": "contemptuous",
            },
            ["01", "01", "02", "29", "29", "63", "63", "63"],
        ),
        ("JAFFE", {"KA.AN1.39.tiff": "angry", "YM.SU3.60.tiff": "surprise"}, ["KA", "YM"]),
        ("CK+", {"S005_001_00000011.png": None, "S999_003_00000055.png": None}, ["S005", "S999"]),
    ],
)
def test_names_of_known_data_sets_say_class_and_person(
    source: str, labels: dict[str, str | None], persons: list[str]
) -> None:
    files = [f"{source}/{name}" for name in labels]
    names = FileNames(None, files)
    assert names.source == source
    assert names.persons(files) == persons
    assert names.has_classes == (None not in labels.values())
    if names.has_classes:
        assert [names.label(file) for file in files] == list(labels.values())


@pytest.mark.parametrize("other", ["AF01XXS.JPG", "AF01AFS (1).JPG", "holiday.jpg"])
def test_one_name_of_another_form_leaves_them_all_unread(other: str) -> None:
    names = FileNames(None, ["AF01AFS.JPG", other])
    assert (names.source, names.has_classes, names.has_persons) == ("", False, False)
