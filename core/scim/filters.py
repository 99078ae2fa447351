"""A SCIM filter as a condition in SQL (RFC 7644 3.4.2.2). It means exactly what ``ScimFilter.match`` of scim2-models
means: the tests hold the two side by side. What cannot be said in SQL is refused with ``invalidFilter``.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scim2_models import AttributeBinding, BaseModel, InvalidFilterException, Resource, ScimFilter
from scim2_models.path import (
    AttrPath,
    Comparison,
    FilterNode,
    FilterVisitor,
    LogicalExpr,
    LogicalOperator,
    Not,
    Present,
    ValuePath,
)
from scim2_models.path.resolution import coerce_value
from sqlalchemy import ColumnElement, and_, false, not_, or_, true

from core.scim.columns import Columns, Entries, Path
from core.scim.comparisons import compared
from core.scim.resources import Attribute, attributes
from core.store.comparable import comparable
from core.store.database import UtcDateTime

LONGEST = 8_192  # characters
DEEPEST = 40  # brackets in each other
MOST_TERMS = 200

_SUBSTRING = frozenset({"co", "sw", "ew"})


def check_size(text: str) -> None:
    """Raise ``InvalidFilterException`` for a filter (or a path with one) that costs more than any client needs."""
    if len(text) > LONGEST:
        raise InvalidFilterException(detail=f"A filter may have at most {LONGEST} characters")
    depth = deepest = 0
    for character in text:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    words = text.lower().split()
    if deepest > DEEPEST or words.count("and") + words.count("or") >= MOST_TERMS:
        raise InvalidFilterException(detail=f"A filter may have {MOST_TERMS} terms, {DEEPEST} levels deep")
    if not storable(text):
        raise InvalidFilterException(detail="A filter may not hold NUL or half a surrogate pair")


def storable(text: str) -> bool:
    """Whether every database can hold this text."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def condition(scim_filter: ScimFilter[Any], model: type[Resource[Any]], columns: Columns) -> ColumnElement[bool]:
    """The condition for rows of one resource type. An attribute that the type does not declare fits none of them
    (RFC 7644 3.4.2.1). Raises ``InvalidFilterException`` where a part has no form in SQL.
    """
    bound: type[ScimFilter[Any]] = ScimFilter.__class_getitem__(model)
    _check_operands(scim_filter.ast)
    return _Resource(bound(scim_filter.ast), columns).visit(scim_filter.ast)


def _check_operands(node: FilterNode) -> None:
    for each in _comparisons(node):
        if isinstance(each.value, str) and not storable(each.value):
            raise InvalidFilterException(detail="A filter may not hold NUL or half a surrogate pair")


def _comparisons(node: FilterNode) -> list[Comparison]:
    match node:
        case Comparison():
            return [node]
        case Not(expr=inner) | ValuePath(val_filter=inner):
            return _comparisons(inner)
        case LogicalExpr(terms=terms):
            return [each for term in terms for each in _comparisons(term)]
    return []


class _Conditions(FilterVisitor[ColumnElement[bool]]):
    def visit_not(self, node: Not) -> ColumnElement[bool]:
        return not_(self.visit(node.expr))

    def visit_logical_expr(self, node: LogicalExpr) -> ColumnElement[bool]:
        join = and_ if node.op == LogicalOperator.and_ else or_
        return join(*(self.visit(term) for term in node.terms))


@dataclass
class _Resource(_Conditions):
    """Conditions on a resource."""

    filter: ScimFilter[Any]
    columns: Columns

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        binding = self.filter.resolve_comparison(node.attr_path, strict=False)
        if binding is None:
            return false()
        operator, (path, sub) = node.op.value, path_of(binding)
        if not binding.is_multivalued:
            full = (*path, sub) if sub else path
            return _comparison(self.columns.text(full), binding, node, self.columns.dialect)
        entries = self.columns.entries(path)
        equals = Comparison(node.attr_path, type(node.op)("eq"), node.value) if operator == "ne" else node
        if not sub and _is_complex(binding):
            fits: ColumnElement[bool] = false()  # an entry without "value" equals nothing that a filter can say
        else:
            fits = entries.any(_comparison(entries.text(sub), binding, equals, self.columns.dialect))
        if node.value is None and operator in ("eq", "ne"):
            fits = or_(not_(entries.any(true())), fits)
        return not_(fits) if operator == "ne" else fits

    def visit_present(self, node: Present) -> ColumnElement[bool]:
        binding = self.filter.resolve(node.attr_path, strict=False)
        if binding is None:
            return false()
        path, sub = path_of(binding)
        if binding.is_multivalued:
            entries = self.columns.entries(path)
            names = [sub] if sub else _sub_attributes(binding, entries)
            return entries.any(or_(*(_is_present(entries.text(name)) for name in names)))
        if sub or not _is_complex(binding):
            return _is_present(self.columns.text((*path, sub) if sub else path))
        if path == ("meta",):
            return true()
        return or_(*(_is_present(self.columns.text((*path, name))) for name in _names(binding)))

    def visit_value_path(self, node: ValuePath) -> ColumnElement[bool]:
        binding = self.filter.resolve(node.attr_path, strict=False)
        if binding is None or not binding.is_multivalued:
            return false()
        path, _ = path_of(binding)
        entries = self.columns.entries(path)
        model = binding.field_type if _is_complex(binding) else None
        return entries.any(_Entry(model, binding, entries, self.columns.dialect).visit(node.val_filter))


@dataclass
class _Entry(_Conditions):
    """Conditions on one entry of an attribute with several values. ``model`` is none for plain texts, which are
    called ``value``.
    """

    model: type[BaseModel] | None
    binding: AttributeBinding
    entries: Entries
    dialect: str

    def visit_comparison(self, node: Comparison) -> ColumnElement[bool]:
        attribute = self._attribute(node.attr_path)
        if attribute is None:
            return false()
        if self.model is None:
            binding = self.binding
        else:
            binding = AttributeBinding(
                self.model,
                attribute.field,
                self.model.get_field_root_type(attribute.field),
                attribute.many,
                case_exact=attribute.exact,
                urn=f"{self.binding.urn}.{attribute.name}",
            )
        text = self.entries.text(attribute.name if self.model else "")
        return _comparison(text, binding, node, self.dialect, coerced=self.model is not None)

    def visit_present(self, node: Present) -> ColumnElement[bool]:
        attribute = self._attribute(node.attr_path)
        if attribute is None:
            return false()
        return _is_present(self.entries.text(attribute.name if self.model else ""))

    def visit_value_path(self, node: ValuePath) -> ColumnElement[bool]:  # noqa: ARG002  the visitor's signature
        return false()

    def _attribute(self, path: AttrPath) -> Attribute | None:
        if path.sub_attr or path.uri:
            return None
        wanted = path.attr.lower()
        if self.model is None:
            return Attribute("value", "value", self.binding.case_exact, False, None) if wanted == "value" else None
        return next((each for each in attributes(self.model).values() if each.name.lower() == wanted), None)


def path_of(binding: AttributeBinding) -> tuple[Path, str]:
    """The path of the head attribute, and the name of the sub-attribute (or empty)."""
    attribute = attributes(binding.model)[binding.field_name]
    urn = str(getattr(binding.model, "__schema__", ""))
    path: Path = (urn, attribute.name) if _is_extension(binding.model) else (attribute.name,)
    if binding.sub_field_name is None or attribute.model is None:
        return path, ""
    return path, attributes(attribute.model)[binding.sub_field_name].name


def _comparison(
    text: ColumnElement[Any], binding: AttributeBinding, node: Comparison, dialect: str, *, coerced: bool = True
) -> ColumnElement[bool]:
    operator = node.op.value
    operand = coerce_value(binding, node.value, node.op) if coerced else node.value
    if operand is not None and (_is_complex(binding) or not (coerced or isinstance(operand, str))):
        return true() if operator == "ne" else false()  # two values of different kinds
    if isinstance(operand, datetime):
        return _moment(text, operator, operand, dialect)
    if operator in _SUBSTRING and (not isinstance(operand, str) or binding.target_type is datetime):
        return false()
    return compared(text, operator, _operand(operand, exact=binding.case_exact), dialect)


def _moment(text: ColumnElement[Any], operator: str, moment: datetime, dialect: str) -> ColumnElement[bool]:
    if moment.tzinfo is None:  # is before, after or at no moment
        return true() if operator == "ne" else false()
    try:
        moment.astimezone(None)
        return compared(text, operator, moment, dialect)
    except (OverflowError, ValueError, OSError):
        raise InvalidFilterException(detail="This time is out of range") from None


def _operand(value: Any, *, exact: bool) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return None if value is None else comparable(str(value), exact=exact)


def _is_present(text: ColumnElement[Any]) -> ColumnElement[bool]:
    return text.is_not(None) if isinstance(text.type, UtcDateTime) else and_(text.is_not(None), text != "")


def _is_complex(binding: AttributeBinding) -> bool:
    target = binding.target_type
    return isinstance(target, type) and issubclass(target, BaseModel)


def _is_extension(model: type[BaseModel]) -> bool:
    return not issubclass(model, Resource) and getattr(model, "__schema__", None) is not None


def _names(binding: AttributeBinding) -> list[str]:
    assert isinstance(binding.field_type, type)
    return [each.name for each in attributes(binding.field_type).values()]


def _sub_attributes(binding: AttributeBinding, entries: Entries) -> list[str]:
    if not _is_complex(binding):
        return [""]
    known = getattr(entries, "columns", None)
    return [name for name in _names(binding) if known is None or name in known]
