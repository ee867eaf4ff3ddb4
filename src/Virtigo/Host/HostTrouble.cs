namespace Virtigo.Host;

/// <summary>Tells errors of this host's file systems from defects of Virtigo.</summary>
public static class HostTrouble
{
    // errno values, which .NET hands on in HResult.
    private const int NoSpace = 28;
    private const int ReadOnly = 30;
    private const int QuotaExceeded = 122;

    /// <summary>What an error means when its cause lies in the host: no permission, no space, a file system that is read-only.</summary>
    /// <param name="error">The error.</param>
    /// <returns>A failure of kind <see cref="FailureKind.Host"/>, or null when the error means something else.</returns>
    public static VirtigoException? Explain(Exception error) => error switch
    {
        UnauthorizedAccessException => new VirtigoException(FailureKind.Host, error.Message,
            "Virtigo's folders must be yours to write; VIRTIGO_HOME puts all of them below a folder of your choice.", error),
        IOException { HResult: ReadOnly } => new VirtigoException(FailureKind.Host, error.Message,
            "VIRTIGO_HOME puts Virtigo's folders below one of your choice.", error),
        IOException full when IsFull(full) => new VirtigoException(FailureKind.Host, error.Message,
            "Free some space there (virtigo images prune removes old images), or put Virtigo's folders elsewhere with VIRTIGO_HOME.", error),
        _ => null,
    };

    /// <summary>Whether a file system or the user's share of it is full.</summary>
    internal static bool IsFull(IOException error) => error.HResult is NoSpace or QuotaExceeded;
}
