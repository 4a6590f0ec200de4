import numpy as np

random = np.random.default_rng(0)
photos = random.normal(size=(32, 3, 64, 64)).astype("float32")
np.savez("photos.npz", photo=photos)
np.savez("mixed.npz", photo=photos, facts=random.normal(size=(32, 3)).astype("float32"))
