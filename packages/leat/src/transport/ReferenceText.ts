/**
 * The grammar of references in cluster sections: `${env:NAME}` stands for an environment variable, `${file:PATH}` for what a
 * file says, and `$${` writes the text `${`. What they refer to is read elsewhere, when a cluster is opened.
 */

/** What stands in the place of a secret, or of anything else that a document leaves to the machine it runs on. */
export interface Reference {
  readonly kind: "env" | "file"
  /** Name of the variable, or path of the file. */
  readonly name: string
}

/** Text and references in the order in which they stand; or what is wrong with the text, which it does not repeat. */
export type ParsedText = { readonly pieces: ReadonlyArray<string | Reference> } | { readonly fault: string }

/** Never says what stood there: in the place of a secret that may be the secret. */
const malformed =
  "`${` begins no reference here; write ${env:NAME} or ${file:PATH}, or $${ where the text ${ itself is meant"

const referencePattern = /^\$\{(env|file):([^}]*)\}/
const variablePattern = /^[A-Za-z_][\w.-]*$/
// oxlint-disable-next-line no-control-regex -- no file system takes them in a path
const pathPattern = /^[^\s\u0000-\u001f](?:[^\u0000-\u001f]*[^\s\u0000-\u001f])?$/

/** Takes a text apart, from left to right. */
export function parseReferenceText(text: string): ParsedText {
  const pieces: Array<string | Reference> = []
  let literal = ""
  let rest = text
  while (rest !== "") {
    const at = rest.search(/\$\$?\{/)
    if (at < 0) break
    literal += rest.slice(0, at)
    rest = rest.slice(at)
    if (rest.startsWith("$$")) {
      literal += "${"
      rest = rest.slice(3)
      continue
    }
    const [whole, kind, name = ""] = referencePattern.exec(rest) ?? []
    if (whole === undefined || !(kind === "env" ? variablePattern : pathPattern).test(name)) return { fault: malformed }
    if (literal !== "") pieces.push(literal)
    literal = ""
    pieces.push({ kind: kind === "env" ? "env" : "file", name })
    rest = rest.slice(whole.length)
  }
  literal += rest
  return { pieces: literal === "" ? pieces : [...pieces, literal] }
}

/**
 * Whether a text of a cluster section is one reference and nothing else: what a secret must be in a document.
 *
 * @example
 * ```ts
 * isReference("${env:KAFKA_PASSWORD}") // true
 * isReference("hunter2") // false
 * ```
 */
export function isReference(text: string): boolean {
  const parsed = parseReferenceText(text)
  return "pieces" in parsed && parsed.pieces.length === 1 && typeof parsed.pieces[0] === "object"
}

/**
 * Whether what a text of a cluster section says is known only when the cluster is opened, so that `inspect` has nothing to
 * judge. Also true of a malformed reference, which is reported where the document is compiled.
 *
 * @example
 * ```ts
 * hasReference("${env:KAFKA_HOST}:9092") // true
 * hasReference("broker-1:9092") // false
 * ```
 */
export function hasReference(text: string): boolean {
  const parsed = parseReferenceText(text)
  return !("pieces" in parsed) || parsed.pieces.some((piece) => typeof piece === "object")
}
