import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { hasReference, isReference, parseReferenceText } from "../../src/transport/ReferenceText.js"

const env = (name: string) => ({ kind: "env", name })
const file = (name: string) => ({ kind: "file", name })

describe("references in text", () => {
  it.each([
    ["", []],
    ["plain", ["plain"]],
    ["$5 {and} $$ more", ["$5 {and} $$ more"]],
    ["${env:NAME}", [env("NAME")]],
    ["${env:HOST}:${env:PORT}", [env("HOST"), ":", env("PORT")]],
    ["${file:./secrets/a b.txt}", [file("./secrets/a b.txt")]],
    ["${file:C:\\secrets\\key.pem}", [file("C:\\secrets\\key.pem")]],
    ["a$${env:NAME}b", ["a${env:NAME}b"]],
    ["$${env:NAME} is ${env:NAME}", ["${env:NAME} is ", env("NAME")]],
    ["$$${", ["$${"]]
  ] as const)("%j is text and references", (text, pieces) => {
    expect(parseReferenceText(text)).toEqual({ pieces })
  })

  it.each([
    "${",
    "${}",
    "${NAME}",
    "${env:}",
    "${env:1ST}",
    "${env:A B}",
    "${env:NAME",
    "${file:}",
    "${file: padded }",
    "${file:a\nb}",
    "${vault:hunter2}",
    "${ENV:NAME}",
    "fine ${env:NAME} and ${then not"
  ])("%j is malformed, and the fault does not repeat it", (text) => {
    expect(parseReferenceText(text)).toEqual({ fault: expect.stringContaining("begins no reference here") })
    expect(JSON.stringify(parseReferenceText(text))).not.toMatch(/hunter2|then not/)
    expect([isReference(text), hasReference(text)]).toEqual([false, true])
  })

  it("is one when nothing stands beside it", () => {
    expect(["${env:A}", "${file:a}", " ${env:A}", "${env:A}${env:B}", "$${env:A}", ""].map(isReference)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false
    ])
  })

  it("any text can be written so that it has none", () => {
    const text = fc
      .array(fc.oneof(fc.constantFrom("$", "{", "}", "${", "env:", "A"), fc.string()))
      .map((all) => all.join(""))
    fc.assert(
      fc.property(text, (meant) => {
        const parsed = parseReferenceText(meant.replaceAll("${", () => "$${"))
        expect(parsed).toEqual({ pieces: meant === "" ? [] : [meant] })
      })
    )
  })
})
