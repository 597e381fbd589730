/**
 * What generated code stands on: writing and reading protobuf fields over protobufjs's minimal Writer and Reader, with every
 * value checked. A value that would not come back as it was is rejected (`InvalidEvent`), never bent; bytes that are not a
 * message of the type are refused (`MalformedEvent`), never guessed.
 *
 * Fields with implicit presence are left out when they hold their default, as proto3 says. `-0` counts as a value of its own
 * in floating-point fields and is 0 in integer fields. Properties that the contract does not know are not looked at.
 */
export type { Reader, Writer } from "protobufjs/minimal.js"
export { InvalidEvent, MalformedEvent } from "./CodecError.ts"
export * from "./readFields.ts"
export * from "./readMessages.ts"
export { skipField } from "./skipField.ts"
export * from "./wellKnown.ts"
export * from "./writeFields.ts"
export * from "./writeMessages.ts"
