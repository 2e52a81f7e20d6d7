"use strict";
// What the whole page shares: elements by name, the theme, and blocks of samples unpacked on demand.
const $ = (id) => document.getElementById(id);

const make = (tag, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

const theme = (dark) => {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").setAttribute("aria-pressed", dark);
  $("theme").textContent = dark ? "Light" : "Dark";
};
theme(matchMedia("(prefers-color-scheme: dark)").matches);
$("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme !== "dark"));

const KEPT = 60; // unpacked blocks kept in memory
const unpacked = new Map();

// A block's value; the promise is kept, so that two readers unpack once.
const block = (name) => {
  let value = unpacked.get(name);
  if (value) unpacked.delete(name);
  else value = unpack($("block-" + name).textContent);
  unpacked.set(name, value);
  if (unpacked.size > KEPT) unpacked.delete(unpacked.keys().next().value);
  return value;
};

const unpack = async (text) => {
  const letters = atob(text);
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

// Full prompts of an `asked` block: each is the start of the one before it, then its own rest.
const prompts = (asked) => {
  let before = "";
  return asked.map((sample) => sample.prompts.map(([shared, rest]) => (before = before.slice(0, shared) + rest)));
};
