"""Small architectures for sequences: recurrent, attending, of words and of numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zoo.specimen import Architecture, Forward, Specimen, beginnings, maps, tokens

WORDS = 50
ROWS = 24


class Recurrent(nn.Module):
    """A recurrent layer, and a head on its last step."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(layer.hidden_size * (2 if layer.bidirectional else 1), 6)

    def forward(self, steps: Tensor) -> Forward:
        hidden, _ = self.layer(steps)
        return self.head(hidden[:, -1])


def _recurrent(random: np.random.Generator, layer: nn.RNNBase) -> Specimen:
    return Specimen(Recurrent(layer), {"steps": maps(random, ROWS, 9, 5)}, ("logits",), ("logits",), head="head")


def rnn(random: np.random.Generator) -> Specimen:
    return _recurrent(random, nn.RNN(5, 12, batch_first=True))


def lstm(random: np.random.Generator) -> Specimen:
    return _recurrent(random, nn.LSTM(5, 12, batch_first=True))


def gru(random: np.random.Generator) -> Specimen:
    return _recurrent(random, nn.GRU(5, 12, num_layers=2, batch_first=True))


def bidirectional_lstm(random: np.random.Generator) -> Specimen:
    return _recurrent(random, nn.LSTM(5, 10, num_layers=2, batch_first=True, bidirectional=True))


class Cells(nn.Module):
    """A recurrent cell in a Python loop, which tracing unrolls; all states are given."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(5, 8)

    def forward(self, steps: Tensor) -> Tensor:
        state = torch.zeros(steps.shape[0], 8)
        states = []
        for index in range(7):
            state = self.cell(steps[:, index], state)
            states.append(state)
        return torch.stack(states, 1)


def unrolled_cells(random: np.random.Generator) -> Specimen:
    return Specimen(Cells(), {"steps": 2 * maps(random, ROWS, 7, 5)}, ("states",))


class MaskedAttention(nn.Module):
    """Words and a mask of those that are there -> logits."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, tokens: Tensor, present: Tensor) -> Forward:
        words = self.embedding(tokens)
        mixed, _ = self.attention(words, words, words, key_padding_mask=~present, need_weights=False)
        weights = present.unsqueeze(-1).to(mixed.dtype)
        return self.head((mixed * weights).sum(1) / weights.sum(1))


def masked_attention(random: np.random.Generator) -> Specimen:
    examples = {"tokens": tokens(random, ROWS, 10, WORDS), "present": beginnings(random, ROWS, 10)}
    return Specimen(MaskedAttention(), examples, ("logits",), ("logits",), head="head")


class Encoder(nn.Module):
    """`nn.TransformerEncoder` on words with learned places."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.places = nn.Parameter(torch.randn(length, 16))
        layer = nn.TransformerEncoderLayer(16, 4, 32, activation="gelu", batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)

    def forward(self, tokens: Tensor) -> Forward:
        words = self.embedding(tokens)
        return self.head(self.encoder(words + self.places).mean(1))


def transformer_encoder(random: np.random.Generator) -> Specimen:
    return Specimen(Encoder(12), {"tokens": tokens(random, ROWS, 12, WORDS)}, ("logits",), ("logits",), head="head")


class PaddedEncoder(nn.Module):
    """`nn.TransformerEncoder` that normalises last, as it is by default, with a padding mask."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(12, 4, 24, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(12, 4)

    def forward(self, steps: Tensor, padding: Tensor) -> Forward:
        return self.head(self.encoder(steps, src_key_padding_mask=padding)[:, 0])


def padded_transformer_encoder(random: np.random.Generator) -> Specimen:
    examples = {"steps": maps(random, ROWS, 8, 12), "padding": ~beginnings(random, ROWS, 8)}
    return Specimen(PaddedEncoder(), examples, ("logits",), ("logits",), head="head")


class EncoderDecoder(nn.Module):
    """`nn.Transformer`: both halves, with a causal mask."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(12, 4, 1, 1, 24, batch_first=True)
        self.head = nn.Linear(12, 7)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(6))

    def forward(self, source: Tensor, target: Tensor) -> Forward:
        return self.head(self.transformer(source, target, tgt_mask=self.mask))


def encoder_decoder(random: np.random.Generator) -> Specimen:
    examples = {"source": maps(random, ROWS, 8, 12), "target": maps(random, ROWS, 6, 12)}
    return Specimen(EncoderDecoder(), examples, ("logits",), {"logits": 2}, head="head")


class CausalLanguageModel(nn.Module):
    """A decoder of any length: each word sees those before it; places turn queries and keys (rotary embedding)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 16)
        self.norm = nn.LayerNorm(16)
        self.mix = nn.Linear(16, 48)
        self.out = nn.Linear(16, 16)
        self.head = nn.Linear(16, WORDS)

    def forward(self, tokens: Tensor) -> Forward:
        words = self.embedding(tokens)
        query, key, value = self.mix(self.norm(words)).chunk(3, -1)
        scores = self.turn(query) @ self.turn(key).transpose(1, 2) / 4
        places = torch.arange(tokens.shape[1])
        later = places.unsqueeze(0) > places.unsqueeze(1)
        attention = scores.masked_fill(later, float("-inf")).softmax(-1)
        return self.head(words + self.out(attention @ value))

    def turn(self, vectors: Tensor) -> Tensor:
        angles = torch.arange(vectors.shape[1]).unsqueeze(1) * 0.5 ** torch.arange(8)
        one, other = vectors.chunk(2, -1)
        return torch.cat([one * angles.cos() - other * angles.sin(), one * angles.sin() + other * angles.cos()], dim=-1)


def causal_language_model(random: np.random.Generator) -> Specimen:
    examples = {"tokens": tokens(random, ROWS, 14, WORDS)}
    return Specimen(CausalLanguageModel(), examples, ("logits",), {"logits": 2}, {"tokens": {1: "length"}}, head="head")


class WordConvolution(nn.Module):
    """Words of any length -> convolution -> the largest over time."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 12)
        self.convolution = nn.Conv1d(12, 16, 3, padding=1)
        self.head = nn.Linear(16, 4)

    def forward(self, tokens: Tensor) -> Forward:
        found = F.relu(self.convolution(self.embedding(tokens).transpose(1, 2)))
        return self.head(found.amax(2))


def word_convolution(random: np.random.Generator) -> Specimen:
    examples = {"tokens": tokens(random, ROWS, 10, WORDS)}
    return Specimen(WordConvolution(), examples, ("logits",), ("logits",), {"tokens": {1: "length"}}, head="head")


def lstm_of_any_length(random: np.random.Generator) -> Specimen:
    examples = {"steps": maps(random, ROWS, 9, 5)}
    module = Recurrent(nn.LSTM(5, 12, batch_first=True))
    return Specimen(module, examples, ("logits",), ("logits",), {"steps": {1: "length"}}, head="head")


class BagOfWords(nn.Module):
    """`nn.EmbeddingBag`: the mean of the words' vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(WORDS, 8, mode="mean")
        self.head = nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Forward:
        return self.head(self.bag(tokens))


def embedding_bag(random: np.random.Generator) -> Specimen:
    return Specimen(BagOfWords(), {"tokens": tokens(random, ROWS, 6, WORDS)}, ("logits",), ("logits",), head="head")


class CausalConvolutions(nn.Module):
    """Dilated convolutions that look back only, with residuals."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(6, 6, 3, dilation=2**level) for level in range(3))

    def forward(self, steps: Tensor) -> Forward:
        for level, layer in enumerate(self.layers):
            steps = steps + torch.tanh(layer(F.pad(steps, (2 * 2**level, 0))))
        return steps


def causal_convolutions(random: np.random.Generator) -> Specimen:
    return Specimen(CausalConvolutions(), {"steps": maps(random, ROWS, 6, 20)}, ("out",))


class LastWord(nn.Module):
    """A recurrent layer read at the last word of each row, which is gathered by its length."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 8, padding_idx=0)
        self.layer = nn.GRU(8, 10, batch_first=True)
        self.head = nn.Linear(10, 4)

    def forward(self, tokens: Tensor, length: Tensor) -> Forward:
        hidden, _ = self.layer(self.embedding(tokens))
        last = (length - 1).view(-1, 1, 1).expand(-1, 1, hidden.shape[2])
        return self.head(hidden.gather(1, last).squeeze(1))


def last_word(random: np.random.Generator) -> Specimen:
    examples = {"tokens": tokens(random, ROWS, 8, WORDS), "length": random.integers(1, 9, ROWS)}
    return Specimen(LastWord(), examples, ("logits",), ("logits",), head="head")


class LinearAttention(nn.Module):
    """Attention without softmax: keys and values are summed first; all by einsum."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, steps: Tensor) -> Tensor:
        query, key = (F.elu(layer(steps)) + 1 for layer in (self.query, self.key))
        sums = torch.einsum("blk,blv->bkv", key, self.value(steps))
        weights = torch.einsum("blk,bk->bl", query, key.sum(1))
        return torch.einsum("blk,bkv->blv", query, sums) / weights.unsqueeze(-1)


def linear_attention(random: np.random.Generator) -> Specimen:
    return Specimen(LinearAttention(), {"steps": maps(random, ROWS, 11, 8)}, ("out",))


ARCHITECTURES = tuple(
    Architecture(build, "sequences", small=True)
    for build in (
        rnn,
        lstm,
        gru,
        bidirectional_lstm,
        lstm_of_any_length,
        unrolled_cells,
        masked_attention,
        transformer_encoder,
        padded_transformer_encoder,
        encoder_decoder,
        causal_language_model,
        word_convolution,
        embedding_bag,
        causal_convolutions,
        last_word,
        linear_attention,
    )
)
