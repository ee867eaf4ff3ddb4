using System.Text;

namespace Virtigo.Host;

/// <summary>Takes secrets out of text and logs before they are written anywhere.</summary>
internal sealed class Redactor
{
    /// <summary>What stands where a secret was.</summary>
    public const string Mark = "[redacted]";

    // A shorter secret occurs in any text by chance; taking it out everywhere would tell what it is.
    private const int LongEnough = 4;
    private readonly string[] _anywhere;
    private readonly string[] _asWord;

    /// <summary>Prepares for a set of secrets; empty ones are ignored.</summary>
    public Redactor(IEnumerable<string> secrets)
    {
        // The longest first, so that a secret within another one does not leave the rest of it.
        string[] all = [.. secrets.SelectMany(Forms).Where(secret => secret.Length > 0).Distinct().OrderByDescending(secret => secret.Length)];
        _anywhere = [.. all.Where(secret => secret.Length >= LongEnough)];
        _asWord = [.. all.Where(secret => secret.Length < LongEnough)];
    }

    /// <summary>A text without the secrets.</summary>
    public string Redact(string text)
    {
        foreach (string secret in _anywhere)
        {
            text = text.Replace(secret, Mark, StringComparison.Ordinal);
        }

        foreach (string secret in _asWord)
        {
            text = ReplaceWord(text, secret);
        }

        return text;
    }

    /// <summary>Bytes without the secrets, which are looked for as UTF-8; other bytes stay as they are.</summary>
    public byte[] Redact(ReadOnlySpan<byte> content)
    {
        if (_anywhere.Length + _asWord.Length == 0)
        {
            return content.ToArray();
        }

        // Latin-1 maps each byte to one character and back.
        var bytewise = new Redactor([.. _anywhere.Concat(_asWord).Select(secret => Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(secret)))]);
        return Encoding.Latin1.GetBytes(bytewise.Redact(Encoding.Latin1.GetString(content)));
    }

    // As written, and as it looks in an address.
    private static IEnumerable<string> Forms(string secret) => [secret, Uri.EscapeDataString(secret)];

    private static string ReplaceWord(string text, string secret)
    {
        int start = 0;
        while ((start = text.IndexOf(secret, start, StringComparison.Ordinal)) >= 0)
        {
            int end = start + secret.Length;
            bool alone = (start == 0 || !char.IsLetterOrDigit(text[start - 1])) && (end == text.Length || !char.IsLetterOrDigit(text[end]));
            if (alone)
            {
                text = string.Concat(text.AsSpan(0, start), Mark, text.AsSpan(end));
            }

            start += alone ? Mark.Length : 1;
        }

        return text;
    }
}
