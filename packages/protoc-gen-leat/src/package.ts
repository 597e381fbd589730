import { readFileSync } from "node:fs"

/** Text of `leat/v1/event.proto`, which contracts import. */
export const optionsProto = readFileSync(new URL("../proto/leat/v1/event.proto", import.meta.url), "utf8")
