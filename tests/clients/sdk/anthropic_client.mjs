// The Anthropic SDK for JavaScript: a buffered answer, a stream, a tool loop over streams. Prints one JSON object.
import { readFileSync } from "node:fs";
import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ maxRetries: 0, timeout: 20_000 });
const base = { model: "claude-sonnet-5-5", max_tokens: 256 };
const tools = [
  {
    name: "read_canary",
    description: "Read a file",
    input_schema: { type: "object", properties: { path: { type: "string" } }, required: ["path"] },
  },
];
const text = (message) => message.content.map((block) => (block.type === "text" ? block.text : "")).join("");
const streamed = (more) => client.messages.stream({ ...base, ...more }).finalMessage();

const ping = [{ role: "user", content: "PONGTEST say pong" }];
const whole = await client.messages.create({ ...base, messages: ping });
const stream = await streamed({ messages: ping });

const messages = [{ role: "user", content: "TOOLTEST read canary.txt" }];
let answer = await streamed({ messages, tools });
let turns = 1;
for (; answer.stop_reason === "tool_use"; turns++) {
  const content = answer.content
    .filter((block) => block.type === "tool_use")
    .map((block) => ({ type: "tool_result", tool_use_id: block.id, content: readFileSync(block.input.path, "utf8") }));
  messages.push({ role: "assistant", content: answer.content }, { role: "user", content });
  answer = await streamed({ messages, tools });
}
const usage = [whole.usage.input_tokens, whole.usage.output_tokens];
console.log(JSON.stringify({ text: text(whole), stream: text(stream), tool: text(answer), turns, usage }));
