"""云桥医院的号源和预约。退号的规矩由预约台来守，这里叫退就退。"""
# ruff: noqa: N802, N803, N806

from __future__ import annotations

from typing import Any

State = dict[str, Any]


def initial(行: dict[str, Any]) -> State:
    """这一行里的号源和预约。"""
    号源 = [{名: 号[名] for 名 in ("编号", "医生", "时间", "挂号费")} for 号 in 行.get("号源", [])]
    预约 = {}
    if "预约号" in 行:
        预约[行["预约号"]] = {名: 行[名] for 名 in ("预约号", "科室", "时间", "可退")}
    return {"号源": 号源, "预约": 预约, "行": 行}


def 查号源(state: State, 科室: str, 日期: str) -> State:
    行 = state["行"]
    有号 = 科室 == 行.get("科室") and 日期 == 行.get("日期")
    return {"号源": state["号源"] if 有号 else []}


def 挂号(state: State, 编号: str, 就诊卡: str) -> State:
    for 序号, 号 in enumerate(state["号源"], start=1):
        if 号["编号"] == 编号:
            state["号源"].remove(号)
            预约号 = f"YY{就诊卡[-3:]}{编号}"
            state["预约"][预约号] = {"预约号": 预约号, "时间": 号["时间"], "可退": True}
            return {"预约号": 预约号, "序号": 序号, "挂号费": 号["挂号费"]}
    raise ValueError(f"没有号源{编号}")


def 查预约(state: State, 预约号: str) -> State:
    return 找(state, 预约号)


def 退号(state: State, 预约号: str) -> State:
    找(state, 预约号)
    del state["预约"][预约号]
    return {"预约号": 预约号, "退款": state["行"].get("挂号费", 0)}


def 找(state: State, 预约号: str) -> State:
    if 预约号 not in state["预约"]:
        raise ValueError(f"没有预约{预约号}")
    found: State = state["预约"][预约号]
    return found
