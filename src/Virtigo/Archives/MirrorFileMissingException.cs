namespace Virtigo.Archives;

/// <summary>A mirror answered that it has no such file; another mirror, or another way to the content, may be tried.</summary>
internal sealed class MirrorFileMissingException(string url) : Exception($"The mirror has no file {url}.")
{
    /// <summary>What was asked for, without credentials.</summary>
    public string Url { get; } = url;
}
