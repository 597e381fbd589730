import type { RouteFault } from "leat"

/** A fault of a document, with the file and its place in it. */
export const faultText = (file: string, { path, message }: RouteFault): string =>
  `${file}: ${path === "" ? "" : `${path}: `}${message}`
