"""Requests of each dialect that hold everything at once, written in an unusual way."""

# ruff: noqa: E501

from __future__ import annotations

from ccproxy.lightllm.dialect import Dialect

ANTHROPIC = rb"""{
  "model": "claude",   "max_tokens": 1e3,
  "system": [ {"type":"text","text":"x-header: 1"},
              {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}} ],
  "tools": [
    {"name": "bash", "description": "run", "input_schema": {"type": "object", "x-order": [1.0]}, "cache_control": {"type":"ephemeral"}},
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
    { "input_schema": {}, "name": "plain", "strict": true, "eager_input_streaming": false } ],
  "messages": [
    {"role": "user", "content": "caf\u00e9"},
    {"role": "system", "content": "mid", "output_config": {"effort": "low"}},
    {"role": "assistant", "content": [
      {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
      {"type": "redacted_thinking", "data": "cmVk"},
      {"type": "text", "text": "I will look.", "citations": null},
      {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
      {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [ {"type":"web_search_result","encrypted_content":"e"} ]},
      {"type": "tool_use", "id": "t1", "name": "bash", "input": {"n": 1.50, "deep": {"z": [] }}, "caller": {"type": "direct"}}
    ]},
    {"content": [
      {"type": "tool_result", "tool_use_id": "t1", "is_error": false, "content": [
         {"type": "text", "text": "out"},
         {"type": "text", "text": "marked", "cache_control": {"type": "ephemeral"}},
         {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}},
         {"type": "search_result", "source": "s", "title": "t", "content": []} ]},
      {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": "failed"},
      {"type": "tool_result", "tool_use_id": "t3"},
      {"type": "text", "text": "and this", "cache_control" : {"type" : "ephemeral"}},
      {"type": "image", "source": {"type": "url", "url": "https://h/i.png"}},
      {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}, "title": "T", "citations": {"enabled": true}},
      {"type": "document", "source": {"type": "file", "file_id": "f1"}},
      {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "bad padding"}},
      {"type": "container_upload", "file_id": "f2"}
    ], "role": "user"},
    {"role": "assistant", "content": "done"},
    {"role": "user", "content": []},
    {"role": "user", "content": [ {"type":"text","text":"last"} ] , "unknown": [1.0, {"a" : "\u0041"}]}
  ],
  "stream": true
}"""

CHAT = rb"""{ "model": "gpt",
  "messages": [
    {"role": "system", "content": "Be brief.", "name": "sys"},
    {"role": "developer", "content": [ {"type":"text","text":"one"}, {"type":"text","text":"two","cache_control":{"type":"ephemeral"}} ]},
    {"role": "user", "content": "hi", "name": "ann"},
    {"role": "assistant", "content": null, "refusal": null, "reasoning_content": "hm", "tool_calls": [
      {"id": "c1", "type": "function", "function": {"name": "bash", "arguments": "{\"n\": 1.50}"}, "index": 0},
      {"id": "c2", "type": "custom", "custom": {"name": "grammar", "input": "x"}} ]},
    {"role": "tool", "tool_call_id": "c1", "content": "out"},
    {"role": "tool", "content": [ {"type": "text", "text": "out"}, {"type": "text", "text": "b", "x": 1.0} ], "tool_call_id": "c2"},
    {"role": "system", "content": "mid"},
    {"role": "user", "content": [
      {"type": "text", "text": "see"},
      {"type": "text", "text": "marked", "cache_control": {"type": "ephemeral"}},
      {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw==", "detail": "high"}},
      {"type": "image_url", "image_url": {"url": "https://h/i.png"}},
      {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
      {"type": "file", "file": {"file_id": "f1"}},
      {"type": "video_url", "video_url": {"url": "u"}} ]},
    {"role": "assistant", "content": [ {"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"} ], "audio": {"id": "a1"}},
    {"role": "assistant", "content": "", "reasoning": "why", "reasoning_details": [ {"type":"r","data":"d"} ]},
    {"role": "function", "name": "old", "content": "1"},
    {"role": "assistant"},
    {"role": "user", "content": null}
  ],
  "tools": [
    {"type": "function", "function": {"name": "bash", "description": "run", "parameters": {"type": "object", "x": 1.0}, "strict": false}},
    {"function": {"name": "bare"}, "type": "function"},
    {"type": "custom", "custom": {"name": "grammar", "format": {"type": "text"}}} ],
  "temperature": 1.0 }"""

RESPONSES = rb"""{"model":"gpt", "instructions" : "Be brief.",
 "input": [
   {"type": "message", "role": "developer", "content": [ {"type": "input_text", "text": "one"} ]},
   {"type": "additional_tools", "role": "developer", "tools": []},
   {"role": "user", "content": "hi"},
   {"type": "message", "role": "user", "content": [
      {"type": "input_text", "text": "see", "cache": 1.0},
      {"type": "input_text", "text": "plain"},
      {"type": "input_image", "image_url": "data:image/png;base64,iVBORw==", "detail": "auto"},
      {"type": "input_image", "file_id": "f1"},
      {"type": "input_file", "file_id": "f2"} ]},
   {"type": "reasoning", "id": "rs_1", "summary": [ {"type":"summary_text","text":"a"}, {"type":"summary_text","text":"b"} ], "encrypted_content": "ZW5j", "status": null},
   {"type": "reasoning", "summary": [], "content": [ {"type": "reasoning_text", "text": "raw"} ]},
   {"type": "message", "role": "assistant", "id": "msg_1", "status": "completed", "phase": "commentary",
    "content": [ {"type": "output_text", "text": "I look.", "annotations": [], "logprobs": []} ]},
   {"arguments": "{\"n\": 1.50}", "call_id": "c1", "name": "exec", "type": "function_call", "id": "fc_1", "namespace": "n"},
   {"type": "function_call_output", "call_id": "c1", "output": "out"},
   {"type": "function_call_output", "call_id": "c2", "output": [ {"type": "input_text", "text": "t"}, {"type": "input_image", "image_url": "https://h/i.png"} ]},
   {"type": "custom_tool_call", "call_id": "c3", "name": "patch", "input": "x"},
   {"type": "custom_tool_call_output", "call_id": "c3", "output": "y"},
   {"type": "web_search_call", "id": "ws", "status": "completed"},
   {"type": "item_reference", "id": "i"},
   {"type": "compaction", "encrypted_content": "e"},
   {"role": "developer", "content": "mid"},
   {"role": "assistant", "content": "done"}
 ],
 "tools": [ {"type":"function","name":"exec","description":"run","parameters":{"type":"object","x":1.0},"strict":false,"defer_loading":true},
            {"type":"web_search","search_context_size":"low"}, {"type":"custom","name":"patch"},
            {"type":"function","name":"n","parameters":null} ],
 "stream":true}"""

GOOGLE = rb"""{ "systemInstruction": {"role": "user", "parts": [ {"text": "Be brief."}, {"text":"two", "x": 1.0} ]},
 "contents": [
   {"role": "user", "parts": [ {"text": "hi"} ]},
   {"parts": [ {"text": "no role"}, {"text": "more", "videoMetadata": {"fps": 1.0}} ]},
   {"role": "model", "parts": [
      {"text": "hm", "thought": true, "thoughtSignature": "c2ln"},
      {"text": "I look.", "thoughtSignature": "c2lnMg=="},
      {"functionCall": {"name": "exec", "args": {"n": 1.50}}, "thoughtSignature": "c2lnMw=="},
      {"functionCall": {"name": "exec", "args": {}, "id": "c2"}},
      {"functionCall": {"name": "noargs"}},
      {"executableCode": {"language": "PYTHON", "code": "1"}},
      {"codeExecutionResult": {"outcome": "OUTCOME_OK"}} ]},
   {"role": "user", "parts": [
      {"functionResponse": {"name": "exec", "response": {"output": "o", "x": 1.0}}},
      {"functionResponse": {"name": "exec", "response": {}, "id": "c2", "scheduling": "SILENT"}},
      {"functionResponse": {"name": "noargs", "response": {"a": []}}},
      {"inlineData": {"mimeType": "image/png", "data": "iVBORw=="}},
      {"inlineData": {"data": "UklGRg==", "mimeType": "audio/wav"}, "videoMetadata": {}},
      {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v"}},
      {"fileData": {"fileUri": "gs://b/v"}},
      {"inline_data": {"mime_type": "image/png", "data": "iVBORw=="}} ]},
   {"role": "function", "parts": [ {"functionResponse": {"name": "old", "response": {"a": 1}}} ]},
   {"role": "model", "parts": []},
   {"role": "user"}
 ],
 "tools": [ {"functionDeclarations": [
      {"name": "exec", "description": "run", "parametersJsonSchema": {"type": "object", "x": 1.0}},
      {"name": "old", "parameters": {"type": "OBJECT"}, "behavior": "BLOCKING"},
      {"name": "none"} ]},
   {"googleSearch": {}}, {"functionDeclarations": [ {"name": "last", "description": "d"} ], "x": 1} ],
 "generationConfig": {"temperature": 1.0} }"""

BODIES: dict[Dialect, bytes] = {
    Dialect.ANTHROPIC: ANTHROPIC,
    Dialect.OPENAI: CHAT,
    Dialect.OPENAI_RESPONSES: RESPONSES,
    Dialect.GOOGLE: GOOGLE,
}
