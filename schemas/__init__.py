"""What crosses a wire, a disk or a package border: types, topics, codec, settings, errors."""
