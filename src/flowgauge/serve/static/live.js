// Generating: tokens arrive one by one; text, curve, numbers and monitors are drawn once per frame.

const SPEAK_EVERY = 5000; // ms between two sentences for the ear

function drawLive(job, request, about) {
  const record = growingRecord();
  const stage = makeStage();
  enterStage(stage);
  const text = drawLiveText(record);
  const curve = drawLiveCurve(record, text.nodes);
  const { panel, show } = drawPanel(record);
  const chosen = request ? request.monitors || [] : about.monitors.map(({ name }) => ({ name, action: "note" }));
  const monitors = drawMonitors(chosen, new Map(about.monitors.map(({ name, promise }) => [name, promise])));
  panel.classList.add("untouched");
  const touch = (j, by) => by !== null && panel.classList.remove("untouched");
  tokenWatchers.add(show).add(curve.show).add(markToken(text.nodes)).add(touch);
  const status = el("p", { class: "live-status" }, el("span", { class: "live-dot", "aria-hidden": "true" }), el("span", { class: "live-words" }, "Waiting for the model …"));
  const stop = el("button", { type: "button", class: "button stop-button" }, "Stop");
  const numbers = liveNumbers();
  const latest = el("p", { class: "latest", hidden: true });
  const ending = el("div", { class: "ending" });
  const node = onStage(el("div", { class: "live" },
    el("section", { class: "card live-head", "aria-label": "State of the generation" },
      el("div", { class: "live-line" }, status, stop), numbers.node, latest, ending),
    el("section", { class: "card reading", "aria-label": "Text and flow" },
      el("div", { class: "reading-main" }, el("h3", null, "Text"),
        request && request.question ? el("p", { class: "quiet small wrap given-words", dir: "auto" }, cutShort(request.question, 200)) : null, text.text, drawLegend(record)),
      el("div", { class: "side" }, panel),
      el("div", { class: "reading-curve" }, el("h3", null, "Flow along the text"), curve.figure)),
    monitors.node), stage);
  show(null);
  return { node, stage, job, record, text, curve, monitors, numbers, status, stop, latest, ending, show, run: null, events: 0, spoken: 0, began: null, asked: false, over: false };
}

function liveNumbers() {
  const names = [["Tokens", "n_tokens", ""], ["Flow F", "flow_nats", "nats"], ["Compensator A", "compensator_nats", "nats"], ["F − A", "martingale", "nats"]];
  const cells = new Map(names.map(([, name]) => [name, el("span", { "data-live": name }, NONE)]));
  const node = el("dl", { class: "figures" }, ...names.map(([words, name, unit]) =>
    el("div", null, el("dt", null, words), el("dd", null, cells.get(name), unit ? el("span", { class: "unit" }, ` ${unit}`) : null))));
  const set = (name, words) => { cells.get(name).textContent = words; };
  return { node, draw(record) {
    const n = record.tokens.position.length;
    if (!n) return;
    set("n_tokens", n.toLocaleString("en"));
    set("flow_nats", nats(record.flow_nats));
    set("compensator_nats", nats(record.compensator_nats));
    set("martingale", nats(record.flow_nats === null || record.compensator_nats === null ? null : stepNumber(record.flow_nats - record.compensator_nats)));
  } };
}

function sayLive(view, words, kind = "") {
  view.status.lastChild.textContent = words;
  view.status.className = `live-status ${kind}`;
}

function drawFrame(view) {
  view.asked = false;
  view.text.grow();
  view.curve.grow();
  view.numbers.draw(view.record);
  view.monitors.draw();
  const n = view.record.tokens.position.length;
  // Until the reader chooses a token the panel shows the newest.
  if (currentStage !== view.stage ? view.stage.choice.token === null : shownToken() === null) view.show(n ? n - 1 : null);
  if (!view.over && n) sayLive(view, `Writing: ${count(n, "token", "tokens")}`, "running");
  const now = performance.now();
  if (n && now - view.spoken > SPEAK_EVERY) {
    view.spoken = now;
    speak(`${count(n, "token", "tokens")}, flow ${nats(view.record.flow_nats)} nats`);
  }
}

function askFrame(view) {
  if (view.asked) return;
  view.asked = true;
  // A hidden tab has no frames; the text still grows there.
  if (document.hidden) setTimeout(() => drawFrame(view), 200);
  else requestAnimationFrame(() => drawFrame(view));
}

function followLive(view) {
  return followJob(view.job, {
    step(step) {
      if (!growRecord(view.record, step)) return;
      view.monitors.see(step.state);
      askFrame(view);
    },
    event(event) {
      view.events += 1;
      const number = view.events;
      view.text.mark(event, number);
      view.curve.mark(event.position, number);
      view.latest.hidden = false;
      view.latest.replaceChildren(el("b", null, `⚑${number} ${plainName(event.monitor)}`), ` at token ${event.position}: ${event.words}`);
      view.monitors.tell(event, number, (position) => view.text.nodes[position] && view.text.nodes[position].focus());
      speak(`Monitor ${plainName(event.monitor)} at token ${event.position}: ${event.words}`);
    },
    done: (done) => endLive(view, doneWords(done), "over", () => showEnding(view, done)),
    cancelled: () => endLive(view, `Stopped by you after ${count(view.record.tokens.position.length, "token", "tokens")}. A stopped text is not saved.`, "over"),
    failed: (error) => endLive(view, `It failed: ${error.message}`, "failed"),
    lost: () => sayLive(view, JOB_LOST, "lost"),
    back: () => sayLive(view, "Connected again.", "running"),
    gone: () => (view.run ? showGone(view) : endLive(view, JOB_GONE, "failed")),
  });
}

function doneWords(done) {
  const n = count(done.n_tokens, "token", "tokens");
  const seconds = typeof done.seconds === "number" ? ` in ${fixed(done.seconds, 1)} s` : "";
  return `Written: ${n}${seconds}. Why it ended: ${done.stopped_by}.`;
}

function endLive(view, words, kind, then) {
  view.over = true;
  drawFrame(view);
  view.text.end();
  view.curve.end();
  view.stop.hidden = true;
  sayLive(view, words, kind);
  speak(words);
  if (then) then();
}

// What can be done with the text once its run is saved.
async function showEnding(view, done) {
  view.run = done.run;
  if (!done.run) return;
  noteJob("generate", view);
  try {
    const run = await readRun(done.run);
    if (!run.records.length) throw new Error(run.failed.length ? run.failed[0].reason : "The saved run holds no response.");
    const record = await readSavedRecord(run, run.records[0].id);
    view.ending.replaceChildren(
      el("p", null, "Saved as ", el("a", { href: runAddress(done.run) }, el("bdi", { class: "wrap" }, done.run)), "."),
      runActions(run, record));
  } catch (error) {
    view.ending.replaceChildren(notice(`The run ${done.run} could not be read: ${error.message}`));
  }
}

async function showGone(view) {
  view.over = true;
  view.node.replaceChildren(el("p", { class: "quiet" }, JOB_GONE));
  await showRun(view.node, view.run);
}

async function startGenerating(about) {
  const request = {
    ...given(), sampling: samplingOf(SAMPLING), ...samplingOf(LENGTHS), monitors: chosenMonitors(), law: "sampling",
  };
  const { job } = await ask("/api/generate", { method: "POST", body: request });
  return openLive({ job, request }, about);
}

function openLive({ job, request = null, run = null }, about) {
  const view = drawLive(job, request, about);
  view.run = run;
  view.close = followLive(view);
  view.stop.addEventListener("click", async () => {
    view.stop.disabled = true;
    try {
      await cancelJob(job);
    } catch (error) {
      view.stop.disabled = false;
      sayLive(view, error.message, "failed");
    }
  });
  return view;
}
