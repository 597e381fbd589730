import { expect, it } from "vitest"
import { nodeFault } from "../../src/given/nodeFault.js"

it.each(["20.20.0", "22.21.9", "18.0.0", "8.17.0"])(
  "Node %s is too old, and which one is needed is said",
  (version) => {
    expect(nodeFault(version)).toBe(`leat needs Node 22.22 or newer, and this is Node ${version}`)
  }
)

it.each(["22.22.0", "23.0.0", "24.21.1", process.versions.node, "", "odd", undefined])(
  "Node %s is none to be told of",
  (version) => {
    expect(nodeFault(version)).toBeUndefined()
  }
)
