using System.Diagnostics.CodeAnalysis;

namespace Virtigo.Archives;

/// <summary>A package version, <c>[epoch:]upstream[-revision]</c>, ordered as dpkg orders versions.</summary>
internal sealed class DebianVersion : IComparable<DebianVersion>, IEquatable<DebianVersion>
{
    private const int MaxLength = 512;
    private readonly string _text;
    private readonly int _epoch;
    private readonly string _upstream;
    private readonly string _revision;

    private DebianVersion(string text, int epoch, string upstream, string revision) =>
        (_text, _epoch, _upstream, _revision) = (text, epoch, upstream, revision);

    /// <summary>The version without its epoch, as in file names.</summary>
    public string WithoutEpoch => _revision.Length == 0 ? _upstream : $"{_upstream}-{_revision}";

    public static bool operator ==(DebianVersion? left, DebianVersion? right) => left is null ? right is null : left.Equals(right);

    public static bool operator !=(DebianVersion? left, DebianVersion? right) => !(left == right);

    public static bool operator <(DebianVersion left, DebianVersion right) => left.CompareTo(right) < 0;

    public static bool operator >(DebianVersion left, DebianVersion right) => left.CompareTo(right) > 0;

    public static bool operator <=(DebianVersion left, DebianVersion right) => left.CompareTo(right) <= 0;

    public static bool operator >=(DebianVersion left, DebianVersion right) => left.CompareTo(right) >= 0;

    /// <summary>Reads a version.</summary>
    /// <exception cref="VirtigoException">The text is no version (<see cref="FailureKind.Archive"/>).</exception>
    public static DebianVersion Parse(string text) => TryParse(text, out DebianVersion? version)
        ? version
        : throw new VirtigoException(FailureKind.Archive, $"\"{Text.Shorten(text)}\" is no package version; expected [epoch:]upstream[-revision].");

    /// <summary>Reads a version, if the text is one by dpkg's rules.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out DebianVersion? version)
    {
        version = null;
        string rest = text?.Trim() ?? "";
        if (rest.Length is 0 or > MaxLength)
        {
            return false;
        }

        string whole = rest;
        int epoch = 0;
        int colon = rest.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0)
        {
            if (colon == 0 || rest.AsSpan(0, colon).ContainsAnyExceptInRange('0', '9') || !int.TryParse(rest.AsSpan(0, colon), out epoch))
            {
                return false;
            }

            rest = rest[(colon + 1)..];
        }

        int dash = rest.LastIndexOf('-');
        string upstream = dash < 0 ? rest : rest[..dash];
        string revision = dash < 0 ? "" : rest[(dash + 1)..];
        if (upstream.Length == 0 || !char.IsAsciiDigit(upstream[0]) || (dash >= 0 && revision.Length == 0)
            || !upstream.All(c => char.IsAsciiLetterOrDigit(c) || ".-+~:".Contains(c, StringComparison.Ordinal))
            || !revision.All(c => char.IsAsciiLetterOrDigit(c) || ".+~".Contains(c, StringComparison.Ordinal)))
        {
            return false;
        }

        version = new DebianVersion(whole, epoch, upstream, revision);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(DebianVersion? other)
    {
        if (other is null)
        {
            return 1;
        }

        int order = _epoch.CompareTo(other._epoch);
        order = order != 0 ? order : ComparePart(_upstream, other._upstream);
        return order != 0 ? order : ComparePart(_revision, other._revision);
    }

    /// <summary>Whether dpkg takes both for the same version: <c>1.0</c> equals <c>0:1.0-0</c>.</summary>
    public bool Equals(DebianVersion? other) => other is not null && CompareTo(other) == 0;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DebianVersion);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.Add(_epoch);
        foreach (string part in (string[])[_upstream, _revision])
        {
            // Equal versions may differ in zeros before and after a number, so only what always counts is hashed.
            foreach (char c in part)
            {
                if (c != '0')
                {
                    hash.Add(c);
                }
            }
        }

        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public override string ToString() => _text;

    private static int ComparePart(ReadOnlySpan<char> a, ReadOnlySpan<char> b)
    {
        int i = 0;
        int j = 0;
        while (i < a.Length || j < b.Length)
        {
            while ((i < a.Length && !char.IsAsciiDigit(a[i])) || (j < b.Length && !char.IsAsciiDigit(b[j])))
            {
                int order = Weight(a, i).CompareTo(Weight(b, j));
                if (order != 0)
                {
                    return order;
                }

                i++;
                j++;
            }

            ReadOnlySpan<char> left = TakeNumber(a, ref i);
            ReadOnlySpan<char> right = TakeNumber(b, ref j);
            int difference = left.Length != right.Length ? left.Length.CompareTo(right.Length) : left.SequenceCompareTo(right);
            if (difference != 0)
            {
                return Math.Sign(difference);
            }
        }

        return 0;
    }

    private static ReadOnlySpan<char> TakeNumber(ReadOnlySpan<char> text, ref int at)
    {
        while (at < text.Length && text[at] == '0')
        {
            at++;
        }

        int start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at]))
        {
            at++;
        }

        return start < text.Length ? text[start..at] : default;
    }

    // A tilde sorts before the end, the end (and a digit) before letters, letters before everything else.
    private static int Weight(ReadOnlySpan<char> text, int at) => at >= text.Length || char.IsAsciiDigit(text[at])
        ? 0
        : text[at] == '~' ? -1 : char.IsAsciiLetter(text[at]) ? text[at] : text[at] + 256;
}
