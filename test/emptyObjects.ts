/** What `{}` means in an expectation, in every suite: an object without fields. To `toMatchObject` any object would do, also one with drops in it. */
import { expect } from "vitest"

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

// Files that share a process load this again, and `expect` keeps what it was given.
const place: typeof globalThis & { leatComparesEmptyObjects?: true } = globalThis
if (place.leatComparesEmptyObjects === undefined) {
  place.leatComparesEmptyObjects = true
  expect.addEqualityTesters([
    (received, expected) =>
      isObject(received) && isObject(expected) && isEmpty(expected) ? isNothing(received) : undefined
  ])
}

const isEmpty = (value: object) => Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0

const isNothing = (value: object) => Object.values(value).every((field) => field === undefined)
