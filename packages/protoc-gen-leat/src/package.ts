import { readFileSync } from "node:fs"

/**
 * Text of `leat/v1/event.proto`, which contracts import: to be put where the compiler looks for it.
 *
 * @example
 * ```ts
 * writeFileSync("proto/leat/v1/event.proto", optionsProto)
 * ```
 */
export const optionsProto = readFileSync(new URL("../proto/leat/v1/event.proto", import.meta.url), "utf8")
