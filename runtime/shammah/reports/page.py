"""A report as one HTML page that needs nothing else: no network, no script, light and dark, fit to print."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from shammah.reports import Filed
from shammah.reports.curve import curve
from shammah.reports.facts import HEADINGS, NOT_MEASURED, Fact, facts, summary
from shammah_convert.job import Job, Report

STYLE = Path(__file__).with_name("page.css")
HOW_TO_READ = (
    "Losses are in nats a token; exact is a completion each of whose tokens is the likeliest after the right ones"
    " before it; moved is the Kullback-Leibler divergence of the answers to general questions from the bare model's."
    " Set off is a general question with words from outside beside it that is answered with what came with them."
    " Before is what was active, after the candidate. Intervals hold in 95 of 100 such samples: over rows for losses,"
    " Wilson's for shares."
)


def page(filed: Filed) -> str:
    """The whole page."""
    report, job = filed.report, filed.job
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(filed.heading)}</title>",
            f"<style>\n{STYLE.read_text('utf-8')}</style></head><body><main>",
            f"<h1>{escape(job.name)}</h1>",
            f'<p class="verdict {escape(report.decision)}">{escape(_verdict(report))}</p>',
            f'<p class="faint">{escape(_about(filed))}</p>',
            _reasons("What speaks for it", "for", report.merits),
            _reasons("What speaks against it", "against", report.reasons),
            f"<h2>Before and after</h2>\n{_table(facts(report))}",
            _curve(report),
            f"<h2>The training</h2>\n{_details(job, report)}",
            f"</main><footer>{escape(HOW_TO_READ)}</footer></body></html>",
            "",
        ]
    )


def _verdict(report: Report) -> str:
    match report.decision:
        case "promoted":
            return "Promoted" if not report.reasons else "Promoted, against the gate"
        case "refused":
            return "Refused"
        case _:
            return "Not decided"


def _about(filed: Filed) -> str:
    return f"A training of {filed.job.base_name}. {summary(filed.report)}."


def _reasons(title: str, kind: str, reasons: Sequence[str]) -> str:
    if not reasons:
        return ""
    items = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return f'<h2>{escape(title)}</h2>\n<ul class="{kind}">{items}</ul>'


def _table(lines: Sequence[Fact]) -> str:
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in HEADINGS)
    body = "\n".join(_row(line) for line in lines)
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def _row(fact: Fact) -> str:
    kind = ' class="part"' if fact.name.startswith(" ") else ""
    name = f"<td{kind}>{escape(fact.name.strip())}</td>"
    return f"<tr>{name}{''.join(_cell(text) for text in (fact.before, fact.after, fact.note))}</tr>"


def _cell(text: str) -> str:
    arrow = escape(text).replace("-&gt;", "\N{RIGHTWARDS ARROW}").replace("-", "\N{MINUS SIGN}")
    return f'<td class="none">{escape(text)}</td>' if text == NOT_MEASURED else f"<td>{arrow}</td>"


def _curve(report: Report) -> str:
    drawing = curve(report.losses)
    if not drawing:
        return ""
    caption = "Nats a token on the examples that each step drew, on a logarithmic scale."
    return f"<h2>Loss</h2>\n<figure>{drawing}<figcaption>{caption}</figcaption></figure>"


def _details(job: Job, report: Report) -> str:
    plan = job.plan
    rows = {
        "Base": f"{job.base_name}, sha256 {job.base_sha256}",
        "Compared with": " + ".join(f"{file.name}:{file.scale:g}" for file in job.active) or "the bare base",
        "Adapter": f"LoRA of rank {plan.rank}, alpha {plan.alpha:g}, {' '.join(report.tensor_types)} base",
        "Examples": f"sha256 {job.examples_sha256}",
        "Left out": ", ".join(report.left_out) or "none",
        "Near-duplicates": "; ".join(", ".join(group) for group in report.near_duplicates) or "none",
    }
    return "<dl>" + "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items()) + "</dl>"
