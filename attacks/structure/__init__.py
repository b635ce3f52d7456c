"""What a Keras model is made of, as several families of attacks read it."""
