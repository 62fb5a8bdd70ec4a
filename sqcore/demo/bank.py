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

REGION_CODES = [code for code, _en, _zh in BRANCHES]
BRANCH_CODES = [code for branches in BRANCHES.values() for code, _en, _zh in branches]

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
    "phone-adviser": (both("Telephone adviser", "电话客服"), True),
    "operations": (both("Operations officer", "运营主管"), False),
    "region": (both("Regional manager", "区域经理"), False),
    "head-office": (both("Head office", "总行职员"), False),
}

TELLERS_A_BRANCH = 8
PHONE_ADVISERS_A_BRANCH = 4
FRONT_LINE_A_BRANCH = TELLERS_A_BRANCH + PHONE_ADVISERS_A_BRANCH
AT_HEAD_OFFICE = 16
STAFF_A_BRANCH = 2 + FRONT_LINE_A_BRANCH
"""The front line, the manager and the operations officer."""


@dataclass(frozen=True)
class Errand:
    """What customers come for: its share of a channel's customers, and what becomes of it.

    `minutes` is how long it is worked on; `solved` and `reworked` are probabilities; with
    `approved` a second signature is needed before it is done.
    """

    name: TranslatedText
    share: dict[str, float]
    minutes: float
    solved: float
    reworked: float
    approved: bool = False


SERVICES = {
    "cash": Errand(both("Cash", "现金业务"), {"counter": 0.38}, 4, 0.98, 0.01),
    "payment": Errand(both("Payment", "转账汇款"), {"counter": 0.20, "app": 0.72}, 5, 0.95, 0.02),
    "card": Errand(
        both("Card", "银行卡"), {"counter": 0.15, "phone": 0.35, "app": 0.10}, 6, 0.88, 0.03
    ),
    "account": Errand(
        both("Account opening", "开户"), {"counter": 0.15}, 14, 0.84, 0.08, approved=True
    ),
    "loan": Errand(
        both("Loan application", "贷款申请"), {"counter": 0.12}, 22, 0.70, 0.18, approved=True
    ),
    "enquiry": Errand(both("Enquiry", "咨询"), {"phone": 0.65, "app": 0.18}, 5, 0.74, 0.04),
}

STAGES = {
    "reception": (both("Reception and number", "接待取号"), "preparation"),
    "counter": (both("At the counter", "柜台办理"), "execution"),
    "approval": (both("Second signature", "复核授权"), "execution"),
    "closing": (both("Receipt and farewell", "回单与道别"), "completion"),
    "routing": (both("Voice menu", "语音菜单"), "preparation"),
    "call": (both("Call", "通话"), "execution"),
    "wrap-up": (both("Notes after the call", "通话记录"), "completion"),
    "sign-in": (both("Signing in", "登录"), "preparation"),
    "request": (both("Request", "业务处理"), "execution"),
    "confirmation": (both("Confirmation", "确认"), "completion"),
}


@dataclass(frozen=True)
class Machine:
    """A machine of a branch: how many days lie between its faults, and how long one lasts."""

    name: TranslatedText
    kind: str
    days_between: float
    hours_down: float

    @property
    def is_self_service(self) -> bool:
        return self.kind == SELF_SERVICE


SELF_SERVICE, BANKING_SYSTEM = "self-service", "banking-system"
MACHINES = {
    "cash": Machine(both("Cash machine", "自动取款机"), SELF_SERVICE, 15, 2.2),
    "queue": Machine(both("Queue machine", "排队叫号机"), SELF_SERVICE, 30, 1.5),
    "core": Machine(both("Banking system", "业务系统终端"), BANKING_SYSTEM, 15, 2.5),
}


OUTAGES = "machine-outages"
"""The indicator of how often machines that customers use fail: rare by the week, so its chart at a
branch is of the days between."""


@dataclass(frozen=True)
class Feed:
    """Who sends operational data, and which measures."""

    name: TranslatedText
    kind: str
    measures: tuple[str, ...] = ()


FEEDS = {
    "core-banking": Feed(
        both("Core banking system", "核心业务系统"),
        "system",
        ("transaction-errors", "loans-in-time"),
    ),
    "machine-monitor": Feed(both("Monitor of the machines", "设备监控"), "device"),
    "branch-reports": Feed(
        both("Reports of the branches", "支行报表"),
        "person",
        ("promises-kept", "privacy-safeguards", "complaint-satisfaction", "care-activities"),
    ),
    "hr-register": Feed(both("HR register", "人事系统"), "system", ("staff-qualified",)),
}
IRREGULAR = ("promises-kept", "loans-in-time")
"""What comes on Fridays only."""


@dataclass(frozen=True)
class Person:
    """Somebody who can log in to the demo; `number` is the number of who is on the staff."""

    username: str
    name: str
    role: Role
    unit: str
    language: str
    what: str
    number: str = ""


PEOPLE = [
    Person("ada", "Ada Lin", Role.ADMINISTRATOR, "", "en", "administrator"),
    Person("ana", "Ana Sun", Role.ANALYST, "", "en", "quality analyst"),
    Person("hua", "Hua Zhou", Role.HR, "", "zh-hans", "HR (in Chinese)"),
    Person("mei", "Mei Wang", Role.MANAGER, "east", "en", "manager of the Eastern region", "2101"),
    Person("chen", "Chen Guo", Role.MANAGER, "riverside", "en", "manager of Riverside", "1200"),
    Person("li", "Li Zhang", Role.STAFF, "harbour-gate", "en", "teller at Harbour Gate", "0601"),
]
