using System.Text;

namespace Virtigo.Images;

/// <summary>Names on a guest's disk as text. A name may be any bytes: what is not UTF-8, or not allowed in a name, is shown as <c>\x2f</c>.</summary>
internal static class GuestName
{
    public static string Text(ReadOnlySpan<byte> name, bool isPath = false)
    {
        var text = new StringBuilder(name.Length);
        while (!name.IsEmpty)
        {
            bool valid = Rune.DecodeFromUtf8(name, out Rune rune, out int length) == System.Buffers.OperationStatus.Done
                && rune.Value != 0 && (isPath || rune.Value != '/');
            if (valid)
            {
                text.Append(rune.ToString());
            }
            else
            {
                foreach (byte one in name[..length])
                {
                    text.Append("\\x").Append(Convert.ToHexStringLower([one]));
                }
            }

            name = name[length..];
        }

        return text.ToString();
    }
}
