using System.Net.Http.Headers;
using System.Text;

namespace Virtigo.Archives;

/// <summary>Builds, checks and shows the addresses of an archive's files.</summary>
internal static class ArchiveUri
{
    private const int MaxPath = 1024;

    /// <summary>The address as it may be logged: without user name and password.</summary>
    public static string Shown(Uri uri) =>
        uri.UserInfo.Length == 0 ? uri.AbsoluteUri : new UriBuilder(uri) { UserName = "", Password = "" }.Uri.AbsoluteUri;

    /// <summary>The address without user name and password, for requests; those travel in a header.</summary>
    public static Uri WithoutCredentials(Uri uri) =>
        uri.UserInfo.Length == 0 ? uri : new UriBuilder(uri) { UserName = "", Password = "" }.Uri;

    /// <summary>The header that carries the credentials of an address, or null when it has none.</summary>
    public static AuthenticationHeaderValue? Credentials(Uri uri) => uri.UserInfo.Length == 0
        ? null
        : new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(Uri.UnescapeDataString(uri.UserInfo))));

    /// <summary>Whether an archive may be read by this address's scheme.</summary>
    public static bool IsSupported(Uri uri) => uri.IsAbsoluteUri && uri.Scheme is "http" or "https" or "file";

    /// <summary>The address of a file below an archive's root.</summary>
    /// <exception cref="VirtigoException">The path would leave the archive (<see cref="FailureKind.Archive"/>).</exception>
    public static Uri Below(Uri root, string path)
    {
        if (!IsPlainPath(path))
        {
            throw new VirtigoException(FailureKind.Archive,
                $"The archive {Shown(root)} names a file \"{Text.Shorten(path)}\", which is no plain path below its root.",
                "Use another mirror, and tell its operator.");
        }

        string escaped = string.Join('/', path.Split('/').Select(Uri.EscapeDataString)).Replace("%2B", "+", StringComparison.Ordinal);
        string above = root.AbsoluteUri;
        return new Uri((above.EndsWith('/') ? above : above + "/") + escaped);
    }

    /// <summary>Whether a path is relative, printable and stays below where it starts.</summary>
    public static bool IsPlainPath(string path) =>
        path.Length is > 0 and <= MaxPath
        && !path.Any(c => char.IsControl(c) || c is '\\' or '?' or '#')
        && path.Split('/').All(part => part is not ("" or "." or ".."));
}
