/** The major version of the Node.js that runs us: where versions differ, we do as the running one. */
export const NODE_MAJOR = Number.parseInt(process.versions.node, 10);
