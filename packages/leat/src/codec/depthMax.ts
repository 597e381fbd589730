/**
 * Messages inside messages, the outermost included, that are written and read. protobuf-es stops there too; others read one
 * more, so that what leat writes is read everywhere. Writing counts the entries of maps, which are messages to most others.
 */
export const depthMax = 100
