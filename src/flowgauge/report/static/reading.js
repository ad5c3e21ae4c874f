// One response with everything that is known of it, joined: verdict, text, documents, curve, sentences.

function drawReading(record) {
  const { text, nodes } = drawResponse(record);
  const { panel, show } = drawPanel(record);
  const curve = drawCurve(record, nodes);
  tokenWatchers.add(show).add(curve.show).add(markToken(nodes));
  const words = drawChoices(record, text, nodes);
  const documents = drawDocuments(record);
  const link = documents && documents.scroller ? drawLink(nodes, documents.scroller) : null;
  const parts = [
    drawVerdict(record),
    el("section", { class: `card reading${documents ? " with-documents" : ""}`, "aria-label": "Response, documents and flow" },
      el("div", { class: "reading-main" },
        el("h3", null, "Response"), drawLegend(record), words, text, drawLabels(record)),
      el("div", { class: "side" }, documents && documents.node, panel),
      el("div", { class: "reading-curve" }, el("h3", null, "Flow along the response"), curve.figure),
      link && link.root),
    drawSentences(record, nodes),
    drawDetails(record)];
  return { parts, link };
}
