"""The demo's bank: its regions and branches, channels, segments, posts and people."""

from dataclasses import dataclass

from sqcore.base.text import TranslatedText
from sqcore.identity.permissions import Role


def both(en: str, zh: str) -> TranslatedText:
    return {"en": en, "zh-hans": zh}


BANK = both("Harbour Bank", "海港银行")

BRANCHES: dict[tuple[str, str, str], list[tuple[str, str, str]]] = {
    ("north", "Northern region", "北区"): [
        ("lakeside", "Lakeside", "湖滨支行"),
        ("university", "University", "大学城支行"),
        ("pine-hill", "Pine Hill", "松山支行"),
        ("north-gate", "North Gate", "北门支行"),
        ("observatory", "Observatory", "天文台支行"),
    ],
    ("east", "Eastern region", "东区"): [
        ("harbour-gate", "Harbour Gate", "港口支行"),
        ("fish-market", "Fish Market", "鱼市支行"),
        ("lighthouse", "Lighthouse", "灯塔支行"),
        ("ferry", "Ferry", "轮渡支行"),
        ("east-park", "East Park", "东园支行"),
    ],
    ("south", "Southern region", "南区"): [
        ("garden-road", "Garden Road", "花园路支行"),
        ("riverside", "Riverside", "滨江支行"),
        ("old-town", "Old Town", "老城支行"),
        ("stadium", "Stadium", "体育场支行"),
        ("south-bridge", "South Bridge", "南桥支行"),
    ],
    ("west", "Western region", "西区"): [
        ("railway", "Railway Station", "火车站支行"),
        ("silk-street", "Silk Street", "丝绸街支行"),
        ("tea-house", "Tea House", "茶馆支行"),
        ("west-tower", "West Tower", "西塔支行"),
        ("airport-road", "Airport Road", "机场路支行"),
    ],
}

CHANNELS = {
    "counter": both("Counter", "柜台"),
    "phone": both("Telephone", "电话"),
    "app": both("App", "手机应用"),
}

SEGMENTS = {
    "personal": both("Personal", "个人客户"),
    "premium": both("Premium", "贵宾客户"),
    "business": both("Small business", "小微企业"),
    "new": both("New customer", "新客户"),
}

POSTS = {
    "manager": (both("Branch manager", "支行行长"), False),
    "teller": (both("Teller", "柜员"), True),
    "adviser": (both("Adviser", "理财顾问"), True),
}

TELLERS_A_BRANCH = 8
ADVISERS_A_BRANCH = 4


@dataclass(frozen=True)
class Person:
    """Somebody who can log in to the demo."""

    username: str
    name: str
    role: Role
    unit: str
    language: str
    what: str


PEOPLE = [
    Person("ada", "Ada Lin", Role.ADMINISTRATOR, "", "en", "administrator"),
    Person("ana", "Ana Sun", Role.ANALYST, "", "en", "quality analyst"),
    Person("hua", "Hua Zhou", Role.HR, "", "zh-hans", "HR (in Chinese)"),
    Person("mei", "Mei Wang", Role.MANAGER, "east", "en", "manager of the Eastern region"),
    Person("chen", "Chen Guo", Role.MANAGER, "riverside", "en", "manager of Riverside"),
    Person("li", "Li Zhang", Role.STAFF, "harbour-gate", "en", "teller at Harbour Gate"),
]
