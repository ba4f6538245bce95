import assert from "node:assert/strict";
import { confirm } from "../../cli/confirm.ts";
import { test } from "../harness.ts";
import { fakeIO } from "./fake_io.ts";

async function* typed(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

test("confirm() takes --yes for an answer and refuses where nobody can be asked", async () => {
  const io = fakeIO();
  await confirm(io, { yes: true }, "cancel 2 envelopes");
  const refused = { code: "refused", message: "Cannot cancel 2 envelopes without --yes" };
  await assert.rejects(confirm(io, {}, "cancel 2 envelopes"), refused);
  assert.deepEqual(io.errLines, []);
});

test("confirm() asks a person, and goes on for nothing but a yes", async () => {
  for (
    const [text, goesOn] of [["y\n", true], [" YES \n", true], ["n\n", false], ["\ny\n", false], [
      "",
      false,
    ]] as const
  ) {
    const io = { ...fakeIO({ interactive: true }), stdin: typed(text) };
    const asked = confirm(io, {}, "cancel 2 envelopes");
    if (goesOn) await asked;
    else {await assert.rejects(asked, {
        code: "refused",
        message: "Cannot cancel 2 envelopes: it was not confirmed",
      });}
    assert.deepEqual(io.errLines, ["Cancel 2 envelopes? [y/N]"]);
  }
});
