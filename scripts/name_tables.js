// Prints the names that Node.js knows: of its modules, and of the objects that every program has.
const { builtinModules } = require("module");
const names = {};
const all = (thing) => {
  const found = new Set();
  for (let one = thing; one && one !== Function.prototype && one !== Object.prototype; one = Object.getPrototypeOf(one)) {
    Object.getOwnPropertyNames(one).forEach((name) => found.add(name));
  }
  ["apply", "bind", "call", "name", "length", "prototype", "toString", "hasOwnProperty", "default"].forEach((name) => found.add(name));
  return [...found].filter((name) => /^[\w$]+$/.test(name));
};
for (const name of builtinModules) {
  if (!name.startsWith("_")) names[name] = all(require(name));
}
for (const name of ["test", "sqlite", "sea", "test/reporters"]) names[name] ??= ["*"];
for (const name of ["JSON", "Math", "Object", "Array", "Number", "String", "Promise", "Reflect", "Date", "Symbol", "Intl", "Atomics", "console", "BigInt"]) {
  names["." + name] = all(globalThis[name]);
}
for (const name of ["Array", "String", "Map", "Set", "Promise"]) names["." + name + ".prototype"] = all(globalThis[name].prototype);
console.log(JSON.stringify(names));
