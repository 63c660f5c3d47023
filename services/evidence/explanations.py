"""What the codes of the evidence service's own problems mean, for `/docs/problems`."""

from __future__ import annotations

from services.chassis.docs.explanations import Explanation, Explanations

_BODY = "Nothing of the request was taken. It counts as one received and one rejected."
_MERGED = "Only this event was refused; the others of its request were judged by themselves."

BODY: Explanations = {
    "unsupported-media-type": Explanation(
        f"The Content-Type is none that this door reads. {_BODY}",
        "Send application/cloudevents+json (one event), application/cloudevents-batch+json (an array), application/json (either) "
        "or application/x-ndjson (one a line), in UTF-8.",
    ),
    "unsupported-encoding": Explanation(
        f"The body is packed in a way that this door does not unpack. {_BODY}", "Use gzip, or nothing."
    ),
    "invalid-gzip": Explanation(
        f"The body is not one whole gzip member, though Content-Encoding says so. {_BODY}", "Pack the whole body once."
    ),
    "invalid-utf-8": Explanation(
        "The body, or one line of it, is not UTF-8.", "Write JSON in UTF-8, whatever the app keeps inside."
    ),
    "byte-order-mark": Explanation(
        "The body, or a line, begins with a byte order mark, which JSON does not have.", "Write UTF-8 without a byte order mark."
    ),
    "request-too-large": Explanation(
        f"The events of the request are more than 1 MiB, unpacked. {_BODY}", "Send them in several requests."
    ),
    "too-many-events": Explanation(f"A request holds at most 500 events. {_BODY}", "Send them in several requests."),
    "body-too-slow": Explanation(f"The body took longer than 20 s to come. {_BODY}", "Send less at once, or on a faster line."),
    "quota-exceeded": Explanation(
        "The publisher has sent as many events as its quota allows, over all doors together. Nothing was received.",
        "Send the same again after the seconds in Retry-After. If that is too slow for good, ask district IT for a wider quota "
        "(`cairn publisher quota`).",
    ),
    "overloaded": Explanation(
        "The service has more to do than it can, and took nothing of this request.",
        "Send the same again after the seconds in Retry-After, and wait longer each time: the publishers' client does.",
    ),
    "no-events": Explanation(f"The request holds no event. {_BODY}", "Send one at least."),
    "not-a-batch": Explanation(
        f"application/cloudevents-batch+json is a JSON array. {_BODY}",
        "Send an array, or one event as application/cloudevents+json.",
    ),
    "batch-refused": Explanation(
        "The request asked for all or none (`?atomic=true`), and one event at least is not good, so none was taken.",
        "`results` says which, and why. Mend those, or send without `atomic`.",
    ),
}

ITEM: Explanations = {
    "abandoned": Explanation(
        "This event is good, but another one of its atomic batch is not, so none was taken.", "Mend the others and send all again."
    ),
    "not-an-event": Explanation(
        f"An event is a JSON object. {_MERGED}", "Send a CloudEvent: see `EvidenceSubmittedSubmission` among the objects."
    ),
    "event-too-large": Explanation(
        f"An event has at most 32 KiB. {_MERGED}", "Evidence holds codes and numbers only; leave everything else out."
    ),
    "too-deep": Explanation("The JSON nests deeper than 32.", "An event needs five levels; something else is in it."),
    "duplicate-name": Explanation(
        f"An object has the same name twice; which of the two is meant, nobody knows. {_MERGED}", "Say each name once."
    ),
    "not-a-number": Explanation("NaN and Infinity are no JSON.", "Leave the piece out, or send the number that was meant."),
    "number-too-long": Explanation("A number has more than 24 characters.", "Scores have at most three decimals."),
    "number-too-large": Explanation("A number has an exponent that no score needs.", "Scores go from -1000000 to 1000000."),
    "unknown-type": Explanation(
        f"`type` is no type and version that publishers may send. {_MERGED}",
        "Use a full name, such as cairn.evidence.submitted.v1.",
    ),
    "outside-grant": Explanation(
        "The publisher may not send this type, or not speak about this school or a student who is not at one of its schools.",
        "Ask district IT for a wider grant (`cairn publisher list` shows what there is), then have the rejection resubmitted.",
    ),
    "foreign-source": Explanation(
        "`source`, or the one whose event is to be corrected, belongs to another publisher.",
        "Use the publisher's own name, or a source below it, such as my-app/quiz.",
    ),
    "inconsistent": Explanation(
        "The event contradicts itself: a count that is wrong, levels that do not ascend, an end before its start, a target that is "
        "named both by `id` and by `sourcekey`.",
        "`pointer` and `expected` say what would make sense.",
    ),
    "wrong-person": Explanation(
        "The identifier is known, but leads to somebody of another kind: staff where a student is due, or the other way round.",
        "Send the student's identifier as `student`, a teacher's as `assessor`.",
    ),
    "unknown-student": Explanation(
        "No roster has brought a student of this identifier yet. The event is held, and comes in by itself once one does; "
        "after 30 days it is refused for this reason.",
        "Check scheme and value against the student information system. If they are right, wait: nothing needs to be sent again.",
    ),
    "unknown-staff": Explanation(
        "No roster has brought a member of staff of this identifier yet. The event is held, and comes in by itself once one does; "
        "after 30 days it is refused for this reason.",
        "Check scheme and value against the student information system. If they are right, wait: nothing needs to be sent again.",
    ),
}

CORRECTION: Explanations = {
    "other-student": Explanation(
        "What is corrected, or the record that the `sourcekey` leads to, is another student's. Nothing was corrected.",
        "Name the student whom the target is about. To move a row to another student, retract it and send it under a new key.",
    ),
    "not-correctable": Explanation(
        "Only evidence is corrected: a piece is retracted or superseded, a correction is retracted.",
        "Check the target's id. What rosters and offices state is stated anew instead.",
    ),
    "unknown-target": Explanation(
        "What is to be corrected has not come yet. The correction is held, and comes in by itself once it does; after 30 days it "
        "is refused for this reason.",
        "Check the target's source and id, or its sourcekey. If they are right, wait: nothing needs to be sent again.",
    ),
}

INBOX: Explanations = {
    "no-value": Explanation("A record of the inbox has no value.", "Put the events in the value. The key is not read."),
    "batch-too-large": Explanation(
        "A batch of records holds more than 16 MiB once it is unpacked, so none of it was read. It counts as one.",
        "Set the producer's batch size to 1 MiB; evidence does not pack that tight.",
    ),
    "corrupt-batch": Explanation(
        "A batch of records cannot be unpacked, or what is in it is no records. The records before the fault came in.",
        "Use a released Kafka client, with any of its compressions.",
    ),
    "old-record-format": Explanation(
        "The record is in a format that Kafka's clients stopped writing with version 0.11.", "Use a newer client."
    ),
}

ROW: Explanations = {
    "invalid-row": Explanation(
        "A row has other cells than the header says.", "Mend the row; mostly a quote or delimiter is missing."
    ),
    "invalid-cell": Explanation(
        "A cell is no date or number as the map expects one.", "Mend the cell, or the column's `format` in the map."
    ),
    "unmapped-value": Explanation(
        "A cell is none of those that the map translates with `values`.", "Add it to `values`, or mend the cell."
    ),
    "no-natural-key": Explanation(
        "A row has nothing in any of the columns that name its record.", "Fill one of them, or take other columns for `key`."
    ),
    "same-natural-key": Explanation(
        "An earlier row of the file has the same natural key and says something else; one would take the other's place.",
        "Add the columns to the map's `key` that tell such rows apart.",
    ),
}

COMMAND: Explanations = {
    "name-taken": Explanation("A publisher bears this name already.", "Choose another, or go on with the key it has."),
    "decided-already": Explanation(
        "Somebody has decided the same at this moment, for another reason.", "Look at what the log has now before deciding again."
    ),
    "same-student": Explanation("Both names lead to one pseudonym.", "Name two students."),
    "merged-already": Explanation(
        "She is merged into another student than the one who was named.", "Unmerge her first (`cairn student unmerge`)."
    ),
    "survivor-merged": Explanation(
        "The student whom the other is, or is to be, merged into is herself merged into a third.",
        "To merge, name the third. To unmerge, begin with the last merge.",
    ),
    "too-many-merged": Explanation(
        "So many pseudonyms of one person are a mistake somewhere.", "Unmerge those that are others, then go on."
    ),
    "not-merged": Explanation("She is merged into nobody, and never was.", "Check whom you named."),
    "unknown-publisher": Explanation("No publisher of this name has a key in force.", "List them: `cairn publisher list`."),
    "unknown-rejection": Explanation(
        "No rejection of this number is kept: there was none, it was resubmitted, or its 30 days are over.",
        "List what is kept: `GET /v1/publishers/me/rejections`, or `cairn evidence quarantine list`.",
    ),
    "no-roster": Explanation(
        "The folder or ZIP file holds no OneRoster bulk export.", "It needs a manifest.csv beside the other files."
    ),
    "incomplete-roster": Explanation("A file that every roster has is not there.", "Export the roster again, whole."),
    "delta-roster": Explanation("The export holds changes only.", "Export in bulk: the import finds out by itself what changed."),
    "unreadable-roster": Explanation(
        "A file of the roster cannot be read.", "Export the roster again; `expected` says what is wrong with it."
    ),
    "unknown-batch": Explanation("No file import has this name.", "List them: `cairn evidence imports`."),
    "unreadable-map": Explanation("The map of a file is no TOML that can be read.", "`expected` says where it goes wrong."),
    "invalid-map": Explanation(
        "The map says something that no map says, or not all that it must.", "See the example in `cairn evidence import --help`."
    ),
    "unknown-column": Explanation(
        "The map names columns that the file does not have.", "Take the names from the file's first row."
    ),
    "unreadable-file": Explanation(
        "The file is no CSV or Parquet file that can be read to its end.", "Export it again, or say its `delimiter` and `encoding`."
    ),
    "enrolments-would-end": Explanation(
        "More than 5 % of a school's enrolments would end, so nothing was imported. Mostly a file was cut off.",
        "Export again. If it is meant, as in July, say so for those schools with `--accept`.",
    ),
    "reused-identifier": Explanation(
        "Name and date of birth say that a student's sourcedId was given to somebody else. Nothing was imported.",
        "Give the new student a number of her own. If it is the same person, say so for those lines with `--same-person`.",
    ),
}

EXPLANATIONS: Explanations = {**BODY, **INBOX, **ITEM, **CORRECTION, **ROW, **COMMAND}
