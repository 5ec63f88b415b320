"""One package per thing the business talks about, in one strict order (see the import contracts): top may import down."""
