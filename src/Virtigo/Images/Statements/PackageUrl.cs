using System.Text;

namespace Virtigo.Images;

/// <summary>Names of packages as scanners understand them: the package URL of the type <c>deb</c>.</summary>
internal static class PackageUrl
{
    /// <summary>The package URL, such as <c>pkg:deb/debian/curl@8.14.1-2?arch=amd64&amp;distro=trixie</c>.</summary>
    public static string Of(string name, string version, string architecture, string distribution, string release) =>
        $"pkg:deb/{Escape(distribution)}/{Escape(name)}@{Escape(version)}?arch={Escape(architecture)}&distro={Escape(release)}";

    /// <summary>Percent-encoding by the rules of package URLs: all but letters, digits and <c>. - _ ~ :</c>.</summary>
    private static string Escape(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (byte one in Encoding.UTF8.GetBytes(text))
        {
            char c = (char)one;
            if (char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or '~' or ':')
            {
                escaped.Append(c);
            }
            else
            {
                escaped.Append('%').Append(Convert.ToHexString([one]));
            }
        }

        return escaped.ToString();
    }
}
